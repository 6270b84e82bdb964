import type { Message } from '@/api/types';
import { sameDay } from '@/i18n/format';

/** Messages of one author closer than this stand together. */
const TOGETHER = 5 * 60_000;

export interface Placed {
  message: Message;
  /** The first of its day. */
  day: boolean;
  /** The first and the last of a group: only these show who wrote, and get the rounder corner. */
  first: boolean;
  last: boolean;
}

function together(a: Message | undefined, b: Message | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    a.direction === b.direction &&
    a.author.type === b.author.type &&
    a.author.user?.id === b.author.user?.id &&
    Math.abs(b.at - a.at) < TOGETHER &&
    sameDay(a.at, b.at)
  );
}

/** Where days begin and which messages stand together. */
export function placed(messages: Message[]): Placed[] {
  return messages.map((message, index) => {
    const before = messages[index - 1];
    return {
      message,
      day: before === undefined || !sameDay(before.at, message.at),
      first: !together(before, message),
      last: !together(message, messages[index + 1]),
    };
  });
}
