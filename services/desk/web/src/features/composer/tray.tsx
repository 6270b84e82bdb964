import { CloseButton, Tooltip } from '@mantine/core';
import { FileAudio, FileText, FileVideo, RotateCcw } from 'lucide-react';
import { useWords } from '@/i18n';
import { type Attachment, detach, upload } from './attachments';
import classes from './composer.module.css';

function iconOf(mime: string) {
  if (mime.startsWith('audio/')) return FileAudio;
  if (mime.startsWith('video/')) return FileVideo;
  return FileText;
}

/** The files that go with the next message, as they go up. */
export function Tray({ conversation, attachments }: { conversation: string; attachments: Attachment[] }) {
  if (attachments.length === 0) return null;
  return (
    <ul className={classes.tray} data-testid="attachments">
      {attachments.map((one) => (
        <Item key={one.id} conversation={conversation} attachment={one} />
      ))}
    </ul>
  );
}

function Item({ conversation, attachment }: { conversation: string; attachment: Attachment }) {
  const { t, format, error } = useWords();
  const { file, preview, progress, state, code } = attachment;
  const Icon = iconOf(file.type);
  return (
    <li className={classes.attachment} data-state={state} data-testid="attachment">
      {preview ? <img src={preview} alt="" /> : <Icon size={26} strokeWidth={1.5} aria-hidden />}
      <span className={classes.attachmentWords}>
        <span className="clip" style={{ fontWeight: 550 }} title={file.name}>
          {file.name}
        </span>
        <span className="clip numbers">
          {state === 'failed' && code
            ? error(code)
            : state === 'uploading'
              ? format.percent(progress)
              : format.bytes(file.size)}
        </span>
      </span>
      {state === 'uploading' && (
        <progress
          className={classes.progress}
          max={1}
          value={progress}
          aria-label={t('composer.progress', { name: file.name, share: format.percent(progress) })}
        />
      )}
      {state === 'failed' && (
        <Tooltip label={t('action.retry')}>
          <button
            type="button"
            className={classes.again}
            onClick={() => upload(conversation, attachment)}
            aria-label={t('action.retry')}
          >
            <RotateCcw size={15} aria-hidden />
          </button>
        </Tooltip>
      )}
      <CloseButton
        size="sm"
        onClick={() => detach(conversation, attachment.id)}
        aria-label={t('composer.remove', { name: file.name })}
      />
    </li>
  );
}
