import { useRef } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { go, useRoute } from '@/store/route';
import { totalOf, unreadOf, VIEWS } from '@/store/select';
import classes from './list.module.css';

/** Waiting, active and inactive with their totals (AG-7). */
export function Tabs() {
  const { t, plural, format } = useWords();
  const { view } = useRoute();
  const totals = useDesk(useShallow((state) => VIEWS.map((name) => totalOf(state, name))));
  const unread = useDesk(useShallow((state) => VIEWS.map((name) => (name === 'waiting' ? 0 : unreadOf(state, name)))));
  const buttons = useRef<(HTMLButtonElement | null)[]>([]);
  const move = (index: number) => {
    const next = (index + VIEWS.length) % VIEWS.length;
    go({ view: VIEWS[next], conversation: null });
    buttons.current[next]?.focus();
  };
  return (
    <div className={classes.tabs} role="tablist" aria-label={t('view.label')}>
      {VIEWS.map((name, index) => (
        <button
          key={name}
          ref={(button) => {
            buttons.current[index] = button;
          }}
          type="button"
          role="tab"
          className={classes.tab}
          aria-selected={view === name}
          tabIndex={view === name ? 0 : -1}
          onClick={() => go({ view: name, conversation: null })}
          onKeyDown={(event) => {
            if (event.key === 'ArrowRight') move(index + 1);
            if (event.key === 'ArrowLeft') move(index - 1);
          }}
          data-testid={`tab-${name}`}
          data-total={totals[index]}
        >
          {t(`view.${name}`)}
          <span className={`${classes.total} numbers`} aria-hidden>
            {format.number(totals[index] ?? 0)}
          </span>
          <span className="hidden">{plural('view.count', totals[index] ?? 0)}</span>
          {(unread[index] ?? 0) > 0 && (
            <span className={classes.news} title={plural('list.unread', unread[index] ?? 0)} />
          )}
        </button>
      ))}
    </div>
  );
}
