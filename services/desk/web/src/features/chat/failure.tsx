import { Tooltip } from '@mantine/core';
import { RotateCcw } from 'lucide-react';
import { useState } from 'react';
import type { Delivery, Message } from '@/api/types';
import { useWords } from '@/i18n';
import { retry } from '@/store/commands';
import classes from './chat.module.css';

/** The reason in the agent's words; the provider's own on hover or focus (CH-12); and another try. */
export function FailureLine({
  message,
  delivery,
  retryable,
}: {
  message: Message;
  delivery: Delivery;
  retryable: boolean;
}) {
  const { t } = useWords();
  const [busy, setBusy] = useState(false);
  const again = async () => {
    setBusy(true);
    await retry(message.conversation, message.id, message.version);
    setBusy(false);
  };
  return (
    <div className={classes.failure}>
      <Reason delivery={delivery} />
      {retryable && (
        <button
          type="button"
          className={classes.retry}
          onClick={() => void again()}
          disabled={busy}
          data-testid="retry"
        >
          <RotateCcw size={13} aria-hidden />
          {t('action.retry')}
        </button>
      )}
    </div>
  );
}

/** A message that is held back, and why. */
export function ParkedLine({ delivery }: { delivery: Delivery }) {
  return (
    <div className={classes.failure} data-parked>
      <Reason delivery={delivery} />
    </div>
  );
}

function Reason({ delivery }: { delivery: Delivery }) {
  const { t, error } = useWords();
  const { failure, state } = delivery;
  const words = failure ? error(failure.code) : t(state === 'parked' ? 'delivery.parked' : 'delivery.failed');
  const provider = [failure?.provider_code, failure?.reason].filter(Boolean).join(' · ');
  const detail = provider === '' ? t('delivery.noDetail') : t('delivery.provider', { reason: provider });
  return (
    <Tooltip label={detail} multiline maw={340} position="bottom-end">
      <button
        type="button"
        className={classes.reason}
        data-testid="failed-reason"
        data-code={failure?.code}
        aria-description={detail}
      >
        {words}
      </button>
    </Tooltip>
  );
}
