import { Button } from '@mantine/core';
import { Hand, Lock, Users } from 'lucide-react';
import type { Conversation } from '@/api/types';
import { useWords } from '@/i18n';
import { titleOf } from '@/store/select';
import { takeAndStay } from '../shell/desk-keys';
import classes from './chat.module.css';

/** In place of the composer while nobody serves the conversation. */
export function WaitingBar({ conversation }: { conversation: Conversation }) {
  const { t } = useWords();
  return (
    <footer className={classes.standby}>
      <p>{t('chat.waitingBar', { name: titleOf(conversation) })}</p>
      <Button
        leftSection={<Hand size={17} aria-hidden />}
        rightSection={<kbd className={classes.key}>T</kbd>}
        onClick={() => void takeAndStay(conversation.id)}
        data-testid="take"
      >
        {t('action.take')}
      </Button>
    </footer>
  );
}

/** In place of the composer when it is not this agent's turn to write. */
export function StandbyBar({ conversation }: { conversation: Conversation }) {
  const { t } = useWords();
  const closed = conversation.state === 'closed';
  const Icon = closed ? Lock : Users;
  return (
    <footer className={classes.standby} data-testid="standby">
      <p>
        <Icon size={16} aria-hidden />
        {closed ? t('chat.closedBar') : t('chat.othersBar', { name: conversation.agent?.name ?? '' })}
      </p>
    </footer>
  );
}
