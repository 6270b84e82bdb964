import { create } from 'zustand';
import { newIntent } from '@/api/http';
import { uploadMedia } from '@/api/media';
import { asApiError } from '@/api/problem';
import type { MediaContent, StoredMedia } from '@/api/types';

/** A file that was added and goes up at once; by conversation, so that looking elsewhere does not stop it. */
export interface Attachment {
  /** Also the idempotency key of the upload. */
  id: string;
  file: File;
  /** An object URL of an image, for the preview. */
  preview: string | null;
  /** 0 to 1. */
  progress: number;
  state: 'uploading' | 'done' | 'failed';
  code: string | null;
  stored: StoredMedia | null;
  cancel: () => void;
}

export const useAttachments = create<Record<string, Attachment[]>>(() => ({}));

const NONE: Attachment[] = [];

export function attachmentsOf(state: Record<string, Attachment[]>, conversation: string): Attachment[] {
  return state[conversation] ?? NONE;
}

function patch(conversation: string, id: string, change: Partial<Attachment>): void {
  useAttachments.setState((state) => ({
    [conversation]: attachmentsOf(state, conversation).map((one) => (one.id === id ? { ...one, ...change } : one)),
  }));
}

export function attach(conversation: string, files: Iterable<File>): void {
  for (const file of files) {
    const preview = file.type.startsWith('image/') ? URL.createObjectURL(file) : null;
    const one: Attachment = {
      id: newIntent(),
      file,
      preview,
      progress: 0,
      state: 'uploading',
      code: null,
      stored: null,
      cancel: () => undefined,
    };
    useAttachments.setState((state) => ({ [conversation]: [...attachmentsOf(state, conversation), one] }));
    upload(conversation, one);
  }
}

export function upload(conversation: string, { id, file }: Attachment): void {
  const { done, cancel } = uploadMedia(file, id, (progress) => patch(conversation, id, { progress }));
  patch(conversation, id, { state: 'uploading', progress: 0, code: null, cancel });
  done
    .then((stored) => patch(conversation, id, { state: 'done', progress: 1, stored }))
    .catch((thrown: unknown) => patch(conversation, id, { state: 'failed', code: asApiError(thrown).code }));
}

export function detach(conversation: string, id: string): void {
  useAttachments.setState((state) => {
    const all = attachmentsOf(state, conversation);
    const gone = all.find((one) => one.id === id);
    if (gone?.state === 'uploading') gone.cancel();
    if (gone?.preview) URL.revokeObjectURL(gone.preview);
    return { [conversation]: all.filter((one) => one.id !== id) };
  });
}

/** What to send for the attachments and the text: the text goes below the first that can carry it, else after them. */
export function contentsOf(stored: StoredMedia[], text: string): { media: MediaContent[]; text: string } {
  let left = text;
  const media = stored.map(({ key, kind, mime, name, size }): MediaContent => {
    const carries = kind === 'image' || kind === 'video' || kind === 'document';
    const caption = carries && left !== '' ? left : null;
    if (caption !== null) left = '';
    return { type: 'media', kind, mime, name, caption, size, key };
  });
  return { media, text: left };
}
