import { ActionIcon, Modal } from '@mantine/core';
import { ChevronLeft, ChevronRight, Download, X } from 'lucide-react';
import { useMemo } from 'react';
import { mediaUrl } from '@/api/media';
import type { MediaContent, Message } from '@/api/types';
import { useWords } from '@/i18n';
import classes from './content.module.css';

interface Props {
  messages: Message[];
  open: string | null;
  choose: (message: string | null) => void;
}

/** The images of the conversation, large, one after another. */
export function Lightbox({ messages, open, choose }: Props) {
  const { t } = useWords();
  const images = useMemo(
    () =>
      messages.flatMap(({ id, content }) =>
        content.type === 'media' && content.kind === 'image' && content.key ? [{ id, content }] : [],
      ),
    [messages],
  );
  const index = images.findIndex((image) => image.id === open);
  const shown = images[index];
  const step = (by: number) => {
    const next = images[index + by];
    if (next) choose(next.id);
  };
  return (
    <Modal.Root opened={shown !== undefined} onClose={() => choose(null)} fullScreen>
      <Modal.Overlay backgroundOpacity={0.85} />
      <Modal.Content
        className={classes.lightbox}
        aria-label={shown?.content.caption ?? t('kind.image')}
        onKeyDown={(event) => {
          if (event.key === 'ArrowRight') step(1);
          if (event.key === 'ArrowLeft') step(-1);
        }}
        data-testid="lightbox"
      >
        {shown && (
          <Picture media={shown.content} index={index} total={images.length} step={step} close={() => choose(null)} />
        )}
      </Modal.Content>
    </Modal.Root>
  );
}

interface PictureProps {
  media: MediaContent;
  index: number;
  total: number;
  step: (by: number) => void;
  close: () => void;
}

function Picture({ media, index, total, step, close }: PictureProps) {
  const { t } = useWords();
  const source = mediaUrl(media.key ?? '');
  const name = media.name ?? t('kind.image');
  const button = { variant: 'subtle', color: 'gray.3', size: 44, radius: 'xl' } as const;
  return (
    <div className={classes.lightboxPage}>
      <div className={classes.lightboxTop}>
        <span className="clip">{name}</span>
        <span className="numbers">{t('media.count', { index: index + 1, total })}</span>
        <ActionIcon
          {...button}
          component="a"
          href={source}
          download={media.name ?? ''}
          aria-label={t('action.download')}
        >
          <Download size={20} aria-hidden />
        </ActionIcon>
        <ActionIcon {...button} onClick={close} aria-label={t('action.close')} data-autofocus>
          <X size={22} aria-hidden />
        </ActionIcon>
      </div>
      <div className={classes.lightboxMiddle}>
        <ActionIcon {...button} onClick={() => step(-1)} disabled={index === 0} aria-label={t('media.previous')}>
          <ChevronLeft size={26} aria-hidden />
        </ActionIcon>
        <img src={source} alt={media.caption ?? name} />
        <ActionIcon {...button} onClick={() => step(1)} disabled={index === total - 1} aria-label={t('media.next')}>
          <ChevronRight size={26} aria-hidden />
        </ActionIcon>
      </div>
      {media.caption && <p className={classes.lightboxCaption}>{media.caption}</p>}
    </div>
  );
}
