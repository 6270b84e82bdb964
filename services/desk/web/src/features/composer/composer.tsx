import { ActionIcon, Button, CloseButton, Textarea, Tooltip } from '@mantine/core';
import { LayoutTemplate, Lock, Paperclip, SendHorizontal, Upload } from 'lucide-react';
import { type ClipboardEvent, type KeyboardEvent, useCallback, useEffect, useRef } from 'react';
import type { Conversation } from '@/api/types';
import { useWords, type Words } from '@/i18n';
import { deskState, useDesk } from '@/store/desk';
import { discard, send } from '@/store/outbox';
import { accountOf, titleOf, unsentOf } from '@/store/select';
import { offerTemplates, show } from '@/store/ui';
import { Keys, Sentence } from '@/ui/keys';
import { useSecond } from '@/ui/now';
import { summaryOf } from '../chat/quote';
import { windowState } from '../chat/window';
import { type Attachment, attach, attachmentsOf, contentsOf, detach, useAttachments } from './attachments';
import classes from './composer.module.css';
import { useDraft } from './draft';
import { useFileDrop } from './drop';
import { EmojiPicker } from './emoji';
import { startReply } from './reply';
import { Tray } from './tray';
import { Unsent } from './unsent';

/** From this length on the composer counts. */
const LONG = 500;

export function Composer({ conversation }: { conversation: Conversation }) {
  const words = useWords();
  const { t } = words;
  const { id } = conversation;
  const field = useRef<HTMLTextAreaElement>(null);
  const { text, setText, replyTo } = useDraft(id);
  const attachments = useAttachments((state) => attachmentsOf(state, id));
  const carries = useDesk((state) => accountOf(state, conversation)?.media ?? true);
  const templates = useDesk((state) => accountOf(state, conversation)?.templates ?? false);
  const closed = useClosed(conversation);
  const add = useCallback((files: File[]) => attach(id, files), [id]);
  useRefused(id, templates, (lost) => setText((now) => (now === '' ? lost : `${now}\n${lost}`)));
  const over = useFileDrop(carries && !closed, add);
  const obstacle = closed ? t('composer.closed') : obstacleOf(text, attachments, words);

  const submit = () => {
    if (obstacle !== null) return;
    const stored = attachments.flatMap((one) => one.stored ?? []);
    const contents = contentsOf(stored, text.trim());
    let reply = replyTo;
    for (const media of contents.media) {
      send(id, media, reply);
      reply = null;
    }
    if (contents.text !== '') send(id, { type: 'text', text: contents.text }, reply);
    for (const one of attachments) detach(id, one.id);
    setText('');
    startReply(id, null);
  };
  const insert = (piece: string) => {
    const area = field.current;
    const from = area?.selectionStart ?? text.length;
    const to = area?.selectionEnd ?? text.length;
    setText(text.slice(0, from) + piece + text.slice(to));
    window.setTimeout(() => {
      area?.focus();
      area?.setSelectionRange(from + piece.length, from + piece.length);
    }, 0);
  };
  const press = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== 'Enter' || event.nativeEvent.isComposing || event.shiftKey) return;
    // On a phone Enter is the only way to break a line; the button sends.
    const phone = window.matchMedia('(pointer: coarse)').matches;
    if (phone && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    submit();
  };
  const paste = (event: ClipboardEvent) => {
    const files = [...event.clipboardData.files];
    if (files.length === 0 || !carries || closed) return;
    event.preventDefault();
    add(files);
  };

  return (
    <footer className={classes.composer}>
      {over && (
        <div className={classes.over} aria-hidden>
          <Upload size={30} strokeWidth={1.5} /> {t('composer.drop')}
        </div>
      )}
      <Unsent conversation={id} edit={(lost) => setText(text === '' ? lost : `${text}\n${lost}`)} />
      {closed && <ClosedNotice conversation={conversation} templates={templates} />}
      {replyTo !== null && <ReplyStrip id={replyTo} conversation={conversation} />}
      <Tray conversation={id} attachments={attachments} />
      <div className={classes.box} data-closed={closed || undefined}>
        <Attach add={add} carries={carries} closed={closed} />
        <EmojiPicker pick={insert} disabled={closed} />
        {templates && <Templates />}
        <Textarea
          ref={field}
          className={classes.field}
          variant="unstyled"
          autosize
          minRows={1}
          maxRows={9}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={press}
          onPaste={paste}
          placeholder={t('composer.placeholder')}
          aria-label={t('composer.label')}
          data-composer
          data-testid="composer"
        />
        <Tooltip label={obstacle ?? t('composer.send')}>
          <ActionIcon
            className={classes.send}
            size={36}
            radius={10}
            aria-label={t('composer.send')}
            aria-disabled={obstacle !== null}
            aria-description={obstacle ?? undefined}
            data-disabled={obstacle !== null || undefined}
            disabled={closed}
            onClick={submit}
            data-testid="send"
          >
            <SendHorizontal size={18} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </div>
      <div className={classes.hints}>
        <span className={classes.keys}>
          <Sentence
            text={t('composer.hint')}
            parts={{ enter: <Keys of="Enter" />, shift: <Keys of="Shift+Enter" /> }}
          />
        </span>
        {text.length > LONG && (
          <span className="numbers" data-testid="count">
            {t('composer.count', { count: words.format.number([...text].length) })}
          </span>
        )}
      </div>
    </footer>
  );
}

function useClosed(conversation: Conversation): boolean {
  return windowState(conversation.window, useSecond()).kind === 'closed';
}

/** Free text that the window refused becomes the draft again, and the templates are offered (SES-1). */
function useRefused(conversation: string, templates: boolean, keep: (text: string) => void): void {
  const refused = useDesk((state) =>
    templates
      ? unsentOf(state.outbox, conversation).find(
          ({ code, content }) => code === 'window_closed' && content.type === 'text',
        )
      : undefined,
  );
  const latest = useRef(keep);
  latest.current = keep;
  useEffect(() => {
    if (refused?.content.type !== 'text' || !deskState().outbox.includes(refused)) return;
    latest.current(refused.content.text);
    discard(refused.key);
    offerTemplates();
  }, [refused]);
}

function Templates() {
  const { t } = useWords();
  return (
    <Tooltip label={t('composer.templates')}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size={36}
        aria-label={t('composer.templates')}
        onClick={() => show('templates')}
        data-testid="templates"
      >
        <LayoutTemplate size={19} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}

function obstacleOf(text: string, attachments: Attachment[], { t }: Words): string | null {
  if (attachments.some((one) => one.state === 'uploading')) return t('composer.uploading');
  if (attachments.some((one) => one.state === 'failed')) return t('composer.uploadFailed');
  if (text.trim() === '' && attachments.length === 0) return t('composer.empty');
  return null;
}

function Attach({ add, carries, closed }: { add: (files: File[]) => void; carries: boolean; closed: boolean }) {
  const { t } = useWords();
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        onChange={(event) => {
          add([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = '';
        }}
        data-testid="file-input"
      />
      <Tooltip label={t(carries ? 'composer.attach' : 'composer.noMedia')}>
        <ActionIcon
          variant="subtle"
          color="gray"
          size={36}
          disabled={!carries || closed}
          aria-label={t(carries ? 'composer.attach' : 'composer.noMedia')}
          onClick={() => input.current?.click()}
          data-testid="attach"
        >
          <Paperclip size={19} aria-hidden />
        </ActionIcon>
      </Tooltip>
    </>
  );
}

/** Why nothing can be sent now, and what helps (SES-1). */
function ClosedNotice({ conversation, templates }: { conversation: Conversation; templates: boolean }) {
  const { t, format } = useWords();
  const last = conversation.last_inbound_at;
  return (
    <div className={classes.closed} role="status" data-testid="window-closed">
      <Lock size={17} aria-hidden />
      <div>
        <div>{t('window.explain')}</div>
        {last !== null && (
          <div className={classes.faint}>{t('window.lastInbound', { time: format.dateTime(last) })}</div>
        )}
      </div>
      {templates && (
        <Button
          className={classes.offer}
          size="xs"
          leftSection={<LayoutTemplate size={15} aria-hidden />}
          onClick={() => show('templates')}
          data-testid="closed-templates"
        >
          {t('window.offer')}
        </Button>
      )}
    </div>
  );
}

function ReplyStrip({ id, conversation }: { id: string; conversation: Conversation }) {
  const words = useWords();
  const { t } = words;
  const original = useDesk((state) => state.messages[id]);
  const name = original?.direction === 'out' ? (original.author.user?.name ?? t('chat.system')) : titleOf(conversation);
  return (
    <div className={classes.strip} data-testid="reply-strip">
      <div className={classes.stripWords}>
        <strong>{t('chat.replyTo', { name })}</strong>
        <span className="clip">{original ? summaryOf(original, words) : t('chat.originalGone')}</span>
      </div>
      <CloseButton size="sm" aria-label={t('composer.cancelReply')} onClick={() => startReply(conversation.id, null)} />
    </div>
  );
}
