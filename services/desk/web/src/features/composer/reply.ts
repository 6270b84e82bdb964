import { create } from 'zustand';
import { focusComposer } from '../shell/desk-keys';

/** Which message the next one answers, by conversation. The composer keeps it with the draft. */
export const useReply = create<Record<string, string | null>>(() => ({}));

export function startReply(conversation: string, message: string | null): void {
  useReply.setState({ [conversation]: message });
  focusComposer();
}
