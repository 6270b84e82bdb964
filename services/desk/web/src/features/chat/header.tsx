import { ActionIcon, Button, Menu, Tooltip } from '@mantine/core';
import { ArrowLeft, ArrowLeftRight, CircleCheck, EllipsisVertical, PanelRight, Undo2 } from 'lucide-react';
import type { Conversation } from '@/api/types';
import { useWords } from '@/i18n';
import { returnToQueue } from '@/store/commands';
import { useDesk } from '@/store/desk';
import { usePreferences } from '@/store/preferences';
import { currentRoute, go } from '@/store/route';
import { supervises, titleOf } from '@/store/select';
import { show, useUi } from '@/store/ui';
import { Avatar } from '@/ui/avatar';
import { channelName } from '@/ui/channel';
import { toastDone } from '@/ui/toast';
import { toggleDetails } from '../shell/desk-keys';
import classes from './header.module.css';
import { Why } from './why';
import { WindowChip } from './window-chip';

interface Props {
  conversation: Conversation;
  mine: boolean;
  narrow: boolean;
  overlaid: boolean;
}

export function ChatHeader({ conversation, mine, narrow, overlaid }: Props) {
  const { t } = useWords();
  const supervisor = useDesk(supervises);
  const panel = usePreferences((preferences) => preferences.panel);
  const drawer = useUi((ui) => ui.drawer);
  const name = titleOf(conversation);
  const shown = overlaid ? drawer : panel;
  const served = conversation.state === 'active' || conversation.state === 'inactive';
  return (
    <header className={classes.header}>
      {narrow && (
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={t('action.back')}
          onClick={() => go({ conversation: null })}
          data-testid="back"
        >
          <ArrowLeft size={20} aria-hidden />
        </ActionIcon>
      )}
      <span className={classes.face}>
        <Avatar name={name} channel={conversation.channel} size={38} />
      </span>
      <div className={classes.who}>
        <h2 className={`${classes.title} clip`} data-testid="chat-title">
          {name}
        </h2>
        <div className={`${classes.subtitle} clip`}>
          <span className="clip">
            <span className="hidden">{channelName(conversation.channel)}, </span>
            {conversation.account.label} · {conversation.queue.name}
          </span>
          {conversation.assignment && <Why conversation={conversation} mine={mine} />}
        </div>
      </div>
      <WindowChip conversation={conversation} />
      {served && (mine || supervisor) && <Actions conversation={conversation} narrow={narrow} />}
      <Tooltip label={t(shown ? 'action.hideDetails' : 'action.details')}>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={t('action.details')}
          aria-pressed={shown}
          onClick={toggleDetails}
          data-testid="details"
        >
          <PanelRight size={19} aria-hidden />
        </ActionIcon>
      </Tooltip>
    </header>
  );
}

function Actions({ conversation, narrow }: { conversation: Conversation; narrow: boolean }) {
  const { t } = useWords();
  const back = async () => {
    if (!(await returnToQueue(conversation.id))) return;
    toastDone(t('return.done'));
    if (currentRoute().conversation === conversation.id) go({ view: 'waiting', conversation: conversation.id });
  };
  const items = [
    { id: 'transfer', icon: ArrowLeftRight, words: t('action.transfer'), run: () => show('transfer') },
    { id: 'return', icon: Undo2, words: t('action.return'), run: () => void back() },
    { id: 'conclude', icon: CircleCheck, words: t('action.conclude'), run: () => show('conclude') },
  ];
  if (narrow) {
    return (
      <Menu position="bottom-end" shadow="md" width={220} withinPortal>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t('action.more')} data-testid="more">
            <EllipsisVertical size={19} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {items.map(({ id, icon: Icon, words, run }) => (
            <Menu.Item key={id} leftSection={<Icon size={16} aria-hidden />} onClick={run} data-testid={id}>
              {words}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    );
  }
  return (
    <div className={classes.actions}>
      {items.slice(0, 2).map(({ id, icon: Icon, words, run }) => (
        <Tooltip key={id} label={words}>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={words} onClick={run} data-testid={id}>
            <Icon size={18} aria-hidden />
          </ActionIcon>
        </Tooltip>
      ))}
      <Tooltip label={t('action.conclude')}>
        <Button
          className={classes.conclude}
          size="compact-md"
          variant="light"
          leftSection={<CircleCheck size={16} aria-hidden />}
          aria-label={t('action.conclude')}
          onClick={() => show('conclude')}
          data-testid="conclude"
        >
          <span className={classes.concludeWords}>{t('action.conclude')}</span>
        </Button>
      </Tooltip>
    </div>
  );
}
