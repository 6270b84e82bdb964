import { Button } from '@mantine/core';
import { Building2, Check, Mail, Phone, UserRoundPlus } from 'lucide-react';
import { useState } from 'react';
import type { ContactCard } from '@/api/types';
import { useWords } from '@/i18n';
import { saveCard } from '@/store/commands';
import { Avatar } from '@/ui/avatar';
import classes from './content.module.css';

interface Props {
  card: ContactCard;
  /** The card's place: message and index. One key for saving it, however often one clicks. */
  place: string;
  conversation: string;
  saveable: boolean;
}

const savedPlaces = new Set<string>();

/** A shared contact with its details; one click saves it (CH-14). */
export function CardView({ card, place, conversation, saveable }: Props) {
  const { t } = useWords();
  const [state, setState] = useState<'idle' | 'busy' | 'saved'>(savedPlaces.has(place) ? 'saved' : 'idle');
  const save = async () => {
    setState('busy');
    const done = await saveCard(conversation, place, card);
    if (done) savedPlaces.add(place);
    setState(done ? 'saved' : 'idle');
  };
  return (
    <div className={classes.card} data-testid="contact-card">
      <div className={classes.cardHead}>
        <Avatar name={card.name} size={38} />
        <strong>{card.name}</strong>
      </div>
      <ul className={classes.details}>
        {card.organization && <Detail icon={Building2} text={card.organization} />}
        {card.phones.map((phone) => (
          <Detail key={phone} icon={Phone} text={phone} />
        ))}
        {card.emails.map((email) => (
          <Detail key={email} icon={Mail} text={email} />
        ))}
      </ul>
      {saveable && (
        <Button
          size="compact-sm"
          variant="light"
          fullWidth
          loading={state === 'busy'}
          disabled={state === 'saved'}
          leftSection={state === 'saved' ? <Check size={15} aria-hidden /> : <UserRoundPlus size={15} aria-hidden />}
          onClick={() => void save()}
          data-testid="save-contact"
          data-state={state}
        >
          {t(state === 'saved' ? 'card.saved' : 'card.save')}
        </Button>
      )}
    </div>
  );
}

function Detail({ icon: Icon, text }: { icon: typeof Phone; text: string }) {
  return (
    <li>
      <Icon size={14} aria-hidden />
      <span>{text}</span>
    </li>
  );
}
