import { callLanguage, type Intent, noteSessionEnd } from './http';
import { ApiError, networkError, problemFrom } from './problem';
import type { StoredMedia } from './types';

/** Where the bytes of a stored medium are. */
export function mediaUrl(key: string): string {
  return `/api/v1/media/${encodeURIComponent(key)}`;
}

export interface Upload {
  done: Promise<StoredMedia>;
  cancel: () => void;
}

/** Uploads one file. XMLHttpRequest, because fetch tells no upload progress. `progress` gets 0 to 1. */
export function uploadMedia(file: File, intent: Intent, progress: (share: number) => void): Upload {
  const request = new XMLHttpRequest();
  const done = new Promise<StoredMedia>((resolve, reject) => {
    request.open('POST', '/api/v1/media');
    request.setRequestHeader('Accept', 'application/json');
    request.setRequestHeader('Accept-Language', callLanguage());
    request.setRequestHeader('Idempotency-Key', intent);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable && event.total > 0) progress(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(JSON.parse(request.responseText) as StoredMedia);
        return;
      }
      const error = problemFrom(request.status, request.responseText, request.getResponseHeader('Retry-After'));
      noteSessionEnd(error);
      reject(error);
    };
    request.onerror = () => reject(networkError());
    request.ontimeout = () => reject(networkError());
    request.onabort = () => reject(new ApiError('cancelled', 0, 'cancelled'));
    const form = new FormData();
    form.append('file', file, file.name);
    request.send(form);
  });
  return { done, cancel: () => request.abort() };
}
