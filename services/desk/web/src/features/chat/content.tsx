import { CircleHelp, LayoutTemplate, type ListChecks, MousePointerClick } from 'lucide-react';
import type { Message } from '@/api/types';
import { useWords } from '@/i18n';
import { CardView } from './card';
import classes from './content.module.css';
import { LocationView } from './location';
import { MediaView } from './media';
import { RichText } from './rich-text';

export type Said = Pick<Message, 'id' | 'content' | 'conversation'>;

interface Props {
  message: Said;
  openImage: (message: string) => void;
  /** The agent may save a contact from here. */
  saveable: boolean;
}

/** What a message says, by its kind. A kind of a later release is shown as unsupported, with its name. */
export function ContentView({ message, openImage, saveable }: Props) {
  const { content } = message;
  switch (content.type) {
    case 'text':
      return <RichText text={content.text} />;
    case 'media':
      return <MediaView id={message.id} media={content} openImage={openImage} />;
    case 'location':
      return <LocationView location={content} />;
    case 'contacts':
      return (
        <div className={classes.cards}>
          {content.cards.map((card, index) => (
            <CardView
              key={`${card.name}-${card.phones[0] ?? card.emails[0] ?? ''}`}
              card={card}
              place={`${message.id}.${index}`}
              conversation={message.conversation}
              saveable={saveable}
            />
          ))}
        </div>
      );
    case 'choice':
      return <Chosen label={content.label} />;
    case 'choices':
      return (
        <>
          <RichText text={content.text} />
          <Options labels={content.options.map((option) => option.label)} />
        </>
      );
    case 'template':
      return (
        <>
          <Tag icon={LayoutTemplate} words="kind.template" />
          <RichText text={content.preview} />
        </>
      );
    case 'unsupported':
      return <Unsupported kind={content.kind} />;
    default:
      return <Unsupported kind={(content as { type: string }).type} />;
  }
}

function Tag({
  icon: Icon,
  words,
}: {
  icon: typeof ListChecks;
  words: 'kind.template' | 'choice.chosen' | 'choices.options';
}) {
  const { t } = useWords();
  return (
    <div className={classes.tag}>
      <Icon size={13} aria-hidden /> {t(words)}
    </div>
  );
}

function Chosen({ label }: { label: string }) {
  return (
    <>
      <Tag icon={MousePointerClick} words="choice.chosen" />
      <RichText text={label} />
    </>
  );
}

function Options({ labels }: { labels: string[] }) {
  const { t } = useWords();
  return (
    <ul className={classes.options} aria-label={t('choices.options')}>
      {labels.map((label) => (
        <li key={label}>{label}</li>
      ))}
    </ul>
  );
}

function Unsupported({ kind }: { kind: string }) {
  const { t } = useWords();
  return (
    <div className={classes.unsupported} data-testid="unsupported">
      <CircleHelp size={20} aria-hidden />
      <div>
        <div>{t('unsupported.text')}</div>
        <code>{t('unsupported.kind', { kind })}</code>
      </div>
    </div>
  );
}
