import type { Conversation } from '@/api/types';
import { useWords } from '@/i18n';

/** The last words of a conversation; content without words is named by its kind. */
export function usePreview({ preview, preview_kind: kind }: Conversation): string {
  const { maybe } = useWords();
  if (kind === 'text' || kind === 'template' || kind === 'choice' || kind === 'choices') return preview;
  const name = maybe(`kind.${kind}`, kind);
  return preview === '' || kind === 'unsupported' ? name : `${name}: ${preview}`;
}
