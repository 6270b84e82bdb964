import { ActionIcon, Tooltip } from '@mantine/core';
import { Clock3, CornerUpLeft } from 'lucide-react';
import { memo } from 'react';
import type { Account, Conversation, Message } from '@/api/types';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { isMine, titleOf } from '@/store/select';
import type { Outgoing } from '@/store/state';
import { startReply } from '../composer/reply';
import classes from './chat.module.css';
import { ContentView } from './content';
import { FailureLine, ParkedLine } from './failure';
import { Quote } from './quote';
import { Ticks } from './ticks';

interface Props {
  message: Message;
  conversation: Conversation;
  account: Account | null;
  first: boolean;
  last: boolean;
  openImage: (message: string) => void;
}

export const Bubble = memo(function Bubble({ message, conversation, account, first, last, openImage }: Props) {
  const { t, format } = useWords();
  const mine = useDesk((state) => isMine(state, conversation) && conversation.state !== 'closed');
  const me = useDesk((state) => state.me?.user.id);
  const { direction, delivery, content, author } = message;
  const out = direction === 'out';
  const who = !out
    ? titleOf(conversation)
    : author.type === 'system'
      ? t('chat.system')
      : author.user?.id === me
        ? t('chat.you')
        : (author.user?.name ?? '');
  const state = delivery?.state ?? null;
  const bare = content.type === 'media' && content.kind === 'sticker';
  return (
    <article
      className={classes.message}
      data-testid="message"
      data-message={message.id}
      data-direction={direction}
      data-state={state ?? undefined}
      data-kind={content.type}
      data-first={first || undefined}
      data-last={last || undefined}
      aria-label={`${who}, ${format.time(message.at)}`}
    >
      {first && out && author.user?.id !== me && <div className={classes.author}>{who}</div>}
      <div className={classes.line}>
        <div
          className={classes.bubble}
          data-failed={state === 'failed' || undefined}
          data-parked={state === 'parked' || undefined}
          data-bare={bare || undefined}
        >
          {message.reply_to && <Quote id={message.reply_to} conversation={conversation} />}
          <ContentView message={message} openImage={openImage} saveable={mine} />
          <span className={classes.meta}>
            <time className="numbers" dateTime={new Date(message.at).toISOString()} title={format.dateTime(message.at)}>
              {format.time(message.at)}
            </time>
            {delivery && <Ticks delivery={delivery} receipts={account?.receipts ?? null} />}
          </span>
        </div>
        {mine && (
          <Tooltip label={t('action.reply')}>
            <ActionIcon
              className={classes.reply}
              variant="subtle"
              color="gray"
              radius="xl"
              aria-label={t('action.reply')}
              onClick={() => startReply(conversation.id, message.id)}
              data-testid="reply"
            >
              <CornerUpLeft size={16} aria-hidden />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      {delivery && state === 'failed' && <FailureLine message={message} delivery={delivery} retryable={mine} />}
      {delivery && state === 'parked' && <ParkedLine delivery={delivery} />}
    </article>
  );
});

/** A message that is on its way to the desk. */
export function SendingBubble({ item }: { item: Outgoing }) {
  const { t, format } = useWords();
  return (
    <article
      className={classes.message}
      data-testid="message"
      data-direction="out"
      data-state="sending"
      data-kind={item.content.type}
      data-first
      data-last
      aria-label={`${t('chat.you')}, ${t('delivery.sending')}`}
    >
      <div className={classes.line}>
        <div className={classes.bubble} data-sending>
          <ContentView
            message={{ id: item.key, content: item.content, conversation: item.conversation }}
            openImage={() => undefined}
            saveable={false}
          />
          <span className={classes.meta}>
            <time className="numbers">{format.time(item.at)}</time>
            <Clock3 size={13} aria-label={t('delivery.sending')} role="img" />
          </span>
        </div>
      </div>
    </article>
  );
}
