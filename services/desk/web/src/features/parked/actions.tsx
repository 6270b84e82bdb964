import { Button } from '@mantine/core';
import { CircleCheck, CircleX, Play, RotateCcw, Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { ParkedItem } from '@/api/types';
import { useWords } from '@/i18n';
import { useParked } from '@/store/parked';
import { decideFate, discard, redrive } from '@/store/parked-commands';
import classes from './actions.module.css';
import { AskDialog } from './dialogs';

const icon = { size: 15, 'aria-hidden': true } as const;

/** What can be done about a message that waits. */
export function Actions({ item }: { item: ParkedItem }) {
  const busy = useParked((state) => state.busy[item.id] === true);
  if (item.state !== 'waiting') return null;
  return item.in_doubt ? <Fates item={item} busy={busy} /> : <Ways item={item} busy={busy} />;
}

function Ways({ item, busy }: { item: ParkedItem; busy: boolean }) {
  const { t } = useWords();
  const [asking, setAsking] = useState(false);
  return (
    <div className={classes.actions}>
      <Button
        size="sm"
        leftSection={<Play {...icon} />}
        onClick={() => void redrive(item)}
        disabled={busy}
        data-testid="redrive-one"
      >
        {t('parked.redrive')}
      </Button>
      <Button
        size="sm"
        variant="default"
        leftSection={<Trash2 {...icon} />}
        onClick={() => setAsking(true)}
        disabled={busy}
        data-testid="discard-one"
      >
        {t('parked.discard')}
      </Button>
      <AskDialog
        opened={asking}
        title="parked.discardTitle"
        text="parked.discardText"
        action="parked.discard"
        reason="needed"
        danger
        onClose={() => setAsking(false)}
        onConfirm={(reason) => void discard(item, reason)}
      />
    </div>
  );
}

/** Nobody knows whether it was sent: a person says. */
function Fates({ item, busy }: { item: ParkedItem; busy: boolean }) {
  const { t } = useWords();
  const [asking, setAsking] = useState<'again' | 'failed' | null>(null);
  const close = () => setAsking(null);
  return (
    <section className={classes.doubt} aria-label={t('parked.doubt')}>
      <h3 className={classes.doubtTitle}>{t('parked.doubt')}</h3>
      <p className={classes.doubtText}>{t('parked.doubtText')}</p>
      <div className={classes.fates}>
        <Fate
          icon={<CircleCheck {...icon} />}
          label={t('parked.arrived')}
          hint={t('parked.arrivedHint')}
          busy={busy}
          onClick={() => void decideFate(item, 'arrived', null)}
          testid="decide-arrived"
        />
        <Fate
          icon={<RotateCcw {...icon} />}
          label={t('parked.again')}
          hint={t('parked.againHint')}
          busy={busy}
          onClick={() => setAsking('again')}
          testid="decide-again"
        />
        <Fate
          icon={<CircleX {...icon} />}
          label={t('parked.fail')}
          hint={t('parked.failHint')}
          busy={busy}
          onClick={() => setAsking('failed')}
          testid="decide-failed"
        />
      </div>
      <AskDialog
        opened={asking === 'again'}
        title="parked.againTitle"
        text="parked.againText"
        action="parked.again"
        reason="none"
        onClose={close}
        onConfirm={() => void decideFate(item, 'again', null)}
      />
      <AskDialog
        opened={asking === 'failed'}
        title="parked.failTitle"
        text="parked.failText"
        action="parked.fail"
        reason="optional"
        danger
        onClose={close}
        onConfirm={(reason) => void decideFate(item, 'failed', reason === '' ? null : reason)}
      />
    </section>
  );
}

interface FateProps {
  icon: React.ReactNode;
  label: string;
  hint: string;
  busy: boolean;
  onClick: () => void;
  testid: string;
}

function Fate({ icon, label, hint, busy, onClick, testid }: FateProps) {
  return (
    <button type="button" className={classes.fate} onClick={onClick} disabled={busy} data-testid={testid}>
      <span className={classes.fateLabel}>
        {icon}
        {label}
      </span>
      <span className={classes.fateHint}>{hint}</span>
    </button>
  );
}
