import { Button } from '@mantine/core';
import { PencilLine } from 'lucide-react';
import type { Conversation } from '@/api/types';
import { useWords } from '@/i18n';
import { deskState } from '@/store/desk';
import { readDraft } from '@/store/drafts';
import { go } from '@/store/route';
import { titleOf, type View } from '@/store/select';
import { Avatar } from '@/ui/avatar';
import { channelName } from '@/ui/channel';
import { useMinute, useSecond } from '@/ui/now';
import { WindowChip } from '../chat/window-chip';
import { takeAndStay } from '../shell/desk-keys';
import classes from './list.module.css';
import { usePreview } from './preview';

interface Props {
  conversation: Conversation;
  view: View;
  wide: boolean;
  open: boolean;
  /** The one row that Tab stops at; the others are reached with j, k and the arrows. */
  entry: boolean;
}

/** A conversation in a list: one line of a table where there is room, else a card of three lines. */
export function Row({ conversation, view, wide, open, entry }: Props) {
  const { t, plural, format } = useWords();
  const now = useMinute();
  const preview = usePreview(conversation);
  const { contact, queue, account } = conversation;
  const name = titleOf(conversation);
  const waiting = view === 'waiting';
  // A visitor's address in the webchat is an id that tells nobody anything.
  const place = conversation.channel === 'webchat' ? null : (contact.phone ?? contact.address);
  const reach = [place, contact.email].filter(Boolean).join(' · ') || channelName(conversation.channel);
  return (
    <li
      className={classes.row}
      data-wide={wide || undefined}
      data-view={view}
      data-open={open || undefined}
      data-unread={(!waiting && conversation.unread > 0) || undefined}
      data-conversation={conversation.id}
      data-testid={waiting ? 'waiting-item' : 'conversation-item'}
    >
      <button
        type="button"
        className={classes.cover}
        data-row={conversation.id}
        tabIndex={entry ? 0 : -1}
        aria-current={open}
        aria-label={[name, reach, queue.name, account.label, preview, unreadWords()].filter(Boolean).join(', ')}
        onClick={() => go({ view, conversation: conversation.id })}
      />
      <Avatar name={name} channel={conversation.channel} size={wide ? 32 : 38} />
      <span className={`${classes.name} clip`}>{name}</span>
      <span className={`${classes.reach} clip`}>
        {contact.name || wide ? reach : (contact.email ?? channelName(conversation.channel))}
      </span>
      <span className={`${classes.preview} clip`}>{draft() ?? preview}</span>
      <span className={classes.where}>
        <span className={`${classes.queue} clip`}>{queue.name}</span>
        <span className={`${classes.account} clip`}>{account.label}</span>
      </span>
      <span className={`${classes.date} numbers`}>
        {format.brief(waiting ? conversation.waiting_since : conversation.last_activity_at, now)}
      </span>
      {waiting ? (
        <Waited since={conversation.waiting_since} />
      ) : (
        <span className={classes.right}>
          {conversation.unread > 0 && (
            <span className={`${classes.unread} numbers`} data-testid="unread">
              {conversation.unread > 99 ? '99+' : conversation.unread}
            </span>
          )}
          <WindowChip conversation={conversation} quiet />
        </span>
      )}
      {waiting && (
        <Button
          className={classes.take}
          size="compact-sm"
          variant="light"
          tabIndex={-1}
          aria-label={t('action.takeName', { name })}
          onClick={() => void takeAndStay(conversation.id)}
          data-testid="take-row"
        >
          {t('action.take')}
        </Button>
      )}
    </li>
  );

  function unreadWords(): string {
    return !waiting && conversation.unread > 0 ? plural('list.unread', conversation.unread) : '';
  }

  function draft() {
    const user = deskState().me?.user.id;
    if (waiting || open || !user) return null;
    const { text } = readDraft(localStorage, user, conversation.id);
    if (text.trim() === '') return null;
    return (
      <span className={classes.draft}>
        <PencilLine size={12} aria-hidden /> {t('list.draft')}: {text}
      </span>
    );
  }
}

const LONG = 10 * 60_000;
const TOO_LONG = 30 * 60_000;

/** How long somebody has waited, ticking; its colour warms after ten minutes and after thirty. */
function Waited({ since }: { since: number }) {
  const { format } = useWords();
  const waited = useSecond() - since;
  const heat = waited > TOO_LONG ? 'hot' : waited > LONG ? 'warm' : 'cool';
  return (
    <span className={`${classes.waited} numbers`} data-heat={heat} data-testid="waited">
      {format.duration(waited, true)}
    </span>
  );
}
