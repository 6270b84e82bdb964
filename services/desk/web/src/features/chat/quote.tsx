import type { Conversation, Message } from '@/api/types';
import { useWords, type Words } from '@/i18n';
import { useDesk } from '@/store/desk';
import { titleOf } from '@/store/select';
import classes from './chat.module.css';

/** A message in a few words. */
export function summaryOf({ content }: Pick<Message, 'content'>, { t, maybe }: Words): string {
  switch (content.type) {
    case 'text':
    case 'choices':
      return content.text;
    case 'media':
      return content.caption || content.name || t(`kind.${content.kind}`);
    case 'location':
      return content.name || content.address || t('kind.location');
    case 'contacts':
      return content.cards.map((card) => card.name).join(', ');
    case 'choice':
      return content.label;
    case 'template':
      return content.preview;
    default:
      return maybe(`kind.${content.type}`, content.type);
  }
}

/** The message that another answers; a click goes there. */
export function Quote({ id, conversation }: { id: string; conversation: Conversation }) {
  const words = useWords();
  const original = useDesk((state) => state.messages[id]);
  const jump = () => {
    const place = document.querySelector<HTMLElement>(`[data-message="${CSS.escape(id)}"]`);
    place?.scrollIntoView({ block: 'center', behavior: 'smooth' });
    place?.animate([{ opacity: 0.35 }, { opacity: 1 }], 700);
  };
  const who = !original
    ? ''
    : original.direction === 'in'
      ? titleOf(conversation)
      : (original.author.user?.name ?? words.t('chat.system'));
  return (
    <button type="button" className={classes.quote} onClick={jump} disabled={!original}>
      {original && <strong className="clip">{who}</strong>}
      <span className={classes.quoteText}>{original ? summaryOf(original, words) : words.t('chat.originalGone')}</span>
    </button>
  );
}
