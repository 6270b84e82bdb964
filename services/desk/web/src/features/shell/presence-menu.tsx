import { Menu, UnstyledButton } from '@mantine/core';
import { Check, ChevronsUpDown } from 'lucide-react';
import { asApiError } from '@/api/problem';
import type { Presence } from '@/api/types';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { choosePresence } from '@/store/presence';
import { toastError } from '@/ui/toast';
import desk from './desk.module.css';
import classes from './nav.module.css';

export const PRESENCES: readonly Presence[] = ['online', 'paused', 'offline'];

export function setPresence(presence: Presence): void {
  choosePresence(presence).catch((thrown: unknown) => toastError(asApiError(thrown)));
}

/** How the agent stands, and how many conversations they serve. */
export function PresenceMenu({ rail }: { rail: boolean }) {
  const { t } = useWords();
  const seat = useDesk((state) => state.seat);
  const presence = seat?.presence ?? 'offline';
  const load = t('presence.load', { load: seat?.load ?? 0, capacity: seat?.capacity ?? 0 });
  return (
    <Menu position={rail ? 'right-start' : 'bottom-start'} width={208} shadow="md" withinPortal>
      <Menu.Target>
        <UnstyledButton
          className={classes.presence}
          aria-label={`${t('presence.label')}: ${t(`presence.${presence}`)}. ${load}`}
          data-testid="presence"
          data-state={presence}
        >
          <span className={desk.dot} data-state={presence} aria-hidden />
          {!rail && (
            <span style={{ flex: 1 }}>
              <span className={classes.state}>{t(`presence.${presence}`)}</span>
              <br />
              <span className={`${classes.load} numbers`}>{load}</span>
            </span>
          )}
          {!rail && <ChevronsUpDown size={15} aria-hidden style={{ color: 'var(--text-3)' }} />}
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t('presence.label')}</Menu.Label>
        {PRESENCES.map((option) => (
          <Menu.Item
            key={option}
            leftSection={<span className={desk.dot} data-state={option} style={{ display: 'block' }} aria-hidden />}
            rightSection={option === presence ? <Check size={15} aria-hidden /> : null}
            aria-current={option === presence}
            onClick={() => setPresence(option)}
            data-testid={`presence-${option}`}
          >
            {t(`presence.${option}`)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
