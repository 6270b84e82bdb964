import { CircleAlert, PencilLine, RotateCcw, Trash2 } from 'lucide-react';
import { useShallow } from 'zustand/react/shallow';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { discard, resend } from '@/store/outbox';
import { unsentOf } from '@/store/select';
import { summaryOf } from '../chat/quote';
import classes from './composer.module.css';

/** Replies that did not reach the desk. They stay here, and nothing is sent behind the agent's back. */
export function Unsent({ conversation, edit }: { conversation: string; edit: (text: string) => void }) {
  const words = useWords();
  const { t, error } = words;
  const items = useDesk(useShallow((state) => unsentOf(state.outbox, conversation)));
  if (items.length === 0) return null;
  return (
    <ul className={classes.unsent} role="alert" aria-label={t('composer.unsent')}>
      {items.map((item) => (
        <li key={item.key} data-testid="unsent" data-code={item.code}>
          <CircleAlert size={17} aria-hidden />
          <span className={classes.unsentWords}>
            <span className="clip">{summaryOf(item, words)}</span>
            <span className={classes.unsentWhy}>
              {t('composer.unsent')}. {item.code && error(item.code)}
            </span>
          </span>
          <button type="button" onClick={() => resend(item.key)} data-testid="unsent-retry">
            <RotateCcw size={14} aria-hidden /> {t('action.retry')}
          </button>
          {item.content.type === 'text' && (
            <button
              type="button"
              aria-label={t('action.edit')}
              title={t('action.edit')}
              onClick={() => {
                if (item.content.type === 'text') edit(item.content.text);
                discard(item.key);
              }}
            >
              <PencilLine size={15} aria-hidden />
            </button>
          )}
          <button
            type="button"
            aria-label={t('action.discard')}
            title={t('action.discard')}
            onClick={() => discard(item.key)}
          >
            <Trash2 size={15} aria-hidden />
          </button>
        </li>
      ))}
    </ul>
  );
}
