import type { ParkedCause, ParkedItem } from '@/api/types';
import type { Words } from '@/i18n';
import { channelName } from '@/ui/channel';

/** Where it stopped, in words: the place says a service and a step. */
export function placeOf({ maybe }: Words, place: string): string {
  const step = place.split(' ').at(-1) ?? place;
  return maybe(`parked.place.${step}`, place);
}

/** The account or channel that it belongs to, as far as that is known. */
export function whoseOf({ channel, account }: Pick<ParkedCause | ParkedItem, 'channel' | 'account'>): string | null {
  return account?.label ?? (channel === null ? null : channelName(channel));
}
