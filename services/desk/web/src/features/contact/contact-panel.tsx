import { ActionIcon, CopyButton, Tooltip } from '@mantine/core';
import { Check, Copy, FileText, Music, Video } from 'lucide-react';
import type { ReactNode } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { mediaUrl } from '@/api/media';
import type { Conversation, MediaContent } from '@/api/types';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { messagesOf, titleOf } from '@/store/select';
import { Avatar } from '@/ui/avatar';
import { channelName } from '@/ui/channel';
import { useMinute } from '@/ui/now';
import classes from './contact.module.css';

/** Who the contact is and what this conversation is. `plain`: inside a drawer that has a title already. */
export function ContactPanel({ conversation, plain = false }: { conversation: Conversation; plain?: boolean }) {
  const { t, format } = useWords();
  const now = useMinute();
  const { contact, account, queue, agent, state } = conversation;
  const name = titleOf(conversation);
  const when = (at: number | null) => (at === null ? null : format.brief(at, now));
  return (
    <aside
      className={classes.panel}
      data-plain={plain || undefined}
      aria-label={t('contact.title')}
      data-testid="contact-panel"
    >
      <div className={classes.head}>
        <Avatar name={name} channel={conversation.channel} size={60} />
        <h2 className={classes.name}>{name}</h2>
        <span className={classes.channel}>{channelName(conversation.channel)}</span>
      </div>
      <dl className={classes.facts}>
        <Fact label={t('contact.phone')} value={contact.phone} copy />
        <Fact label={t('contact.email')} value={contact.email} copy />
        <Fact label={t('contact.address')} value={contact.address} copy />
      </dl>
      <h3 className={classes.heading}>{t('contact.conversation')}</h3>
      <dl className={classes.facts}>
        <Fact label={t('contact.state')} value={t(`state.${state}`)} />
        <Fact label={t('contact.agent')} value={agent?.name ?? null} />
        <Fact label={t('contact.account')} value={account.label} />
        <Fact label={t('contact.queue')} value={queue.name} />
        <Fact label={t('contact.opened')} value={when(conversation.opened_at)} />
        <Fact label={t('contact.lastInbound')} value={when(conversation.last_inbound_at)} />
      </dl>
      <Closing conversation={conversation} />
      <h3 className={classes.heading}>{t('contact.attachments')}</h3>
      <Attachments conversation={conversation.id} />
    </aside>
  );
}

function Fact({ label, value, copy = false }: { label: string; value: string | null; copy?: boolean }) {
  const { t } = useWords();
  return (
    <div className={classes.fact}>
      <dt>{label}</dt>
      <dd>
        {value ? (
          <span className={classes.value}>{value}</span>
        ) : (
          <span className={classes.unknown}>{t('contact.unknown')}</span>
        )}
        {value && copy && (
          <CopyButton value={value}>
            {({ copied, copy: run }) => (
              <Tooltip label={t(copied ? 'action.copied' : 'action.copy')}>
                <ActionIcon
                  className={classes.copy}
                  size="sm"
                  variant="subtle"
                  color="gray"
                  onClick={run}
                  aria-label={`${t('action.copy')}: ${label}`}
                >
                  {copied ? <Check size={14} aria-hidden /> : <Copy size={14} aria-hidden />}
                </ActionIcon>
              </Tooltip>
            )}
          </CopyButton>
        )}
      </dd>
    </div>
  );
}

function Closing({ conversation }: { conversation: Conversation }): ReactNode {
  const { t, format } = useWords();
  if (conversation.closed_at === null) return null;
  const time = format.dateTime(conversation.closed_at);
  const key = conversation.close_reason === 'abandoned' ? 'chat.closedAbandoned' : 'chat.closedConcluded';
  return <p className={classes.unknown}>{t(key, { time })}</p>;
}

function Attachments({ conversation }: { conversation: string }) {
  const { t } = useWords();
  const messages = useDesk(useShallow((state) => messagesOf(state, conversation)));
  const media = messages
    .flatMap(({ id, at, content }) =>
      content.type === 'media' && content.key && content.kind !== 'sticker' ? [{ id, at, content }] : [],
    )
    .reverse();
  if (media.length === 0) return <p className={classes.unknown}>{t('contact.noAttachments')}</p>;
  return (
    <ul className={classes.media}>
      {media.map(({ id, at, content }) => (
        <li key={id}>
          <Attachment media={content} at={at} />
        </li>
      ))}
    </ul>
  );
}

function Attachment({ media, at }: { media: MediaContent; at: number }) {
  const { t, format } = useWords();
  const now = useMinute();
  const name = media.name ?? t(`kind.${media.kind}`);
  const Icon = media.kind === 'audio' ? Music : media.kind === 'video' ? Video : FileText;
  const source = mediaUrl(media.key ?? '');
  return (
    <a className={classes.attachment} href={source} download={media.name ?? ''}>
      <span className="hidden">{t('action.download')}: </span>
      {media.kind === 'image' ? (
        <img src={source} alt="" loading="lazy" />
      ) : (
        <span className={classes.icon}>
          <Icon size={18} strokeWidth={1.7} aria-hidden />
        </span>
      )}
      <span className={classes.words}>
        <span className="clip">{name}</span>
        <span className={classes.unknown}>
          {format.brief(at, now)}
          {media.size ? ` · ${format.bytes(media.size)}` : ''}
        </span>
      </span>
    </a>
  );
}
