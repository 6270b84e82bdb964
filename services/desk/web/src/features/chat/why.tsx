import { Popover } from '@mantine/core';
import type { Conversation } from '@/api/types';
import { useWords } from '@/i18n';
import classes from './header.module.css';

/** How the conversation came to its agent, and who else was considered. */
export function Why({ conversation, mine }: { conversation: Conversation; mine: boolean }) {
  const { t, maybe, format } = useWords();
  const { assignment, agent } = conversation;
  if (!assignment || !agent) return null;
  const title = mine ? t('why.title') : t('why.titleOther', { name: agent.name });
  const by = assignment.by && assignment.ground === 'transferred';
  const ground = by
    ? t('why.transferredBy', { name: assignment.by?.name ?? '' })
    : maybe(`why.${assignment.ground}`, assignment.ground);
  return (
    <Popover width={300} position="bottom-start" shadow="md" withArrow trapFocus withinPortal>
      <Popover.Target>
        <button type="button" className={classes.whyButton} data-testid="why">
          {title}
        </button>
      </Popover.Target>
      <Popover.Dropdown>
        <div className={classes.why} data-testid="why-detail" tabIndex={-1}>
          <strong>{title}</strong>
          <p>{ground}</p>
          <p className={classes.faint}>{format.dateTime(assignment.at)}</p>
          {assignment.considered.length > 0 && (
            <>
              <div className={classes.faint}>{t('why.considered')}</div>
              <ul>
                {assignment.considered.map(({ agent: one, verdict }) => (
                  <li key={one.id} data-chosen={verdict === 'chosen' || undefined}>
                    <span>{one.name}</span>
                    <span>{maybe(`verdict.${verdict}`, verdict)}</span>
                  </li>
                ))}
              </ul>
            </>
          )}
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}
