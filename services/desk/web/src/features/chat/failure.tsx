import { Tooltip } from '@mantine/core';
import { LayoutTemplate, RotateCcw } from 'lucide-react';
import { useState } from 'react';
import type { Delivery, Message } from '@/api/types';
import { useWords } from '@/i18n';
import { retry } from '@/store/commands';
import { useDesk } from '@/store/desk';
import { accountOf, conversationOf } from '@/store/select';
import { show } from '@/store/ui';
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
      {retryable && INSTEAD.has(delivery.failure?.code ?? '') && <Instead conversation={message.conversation} />}
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

/** Failures that another template helps against. */
const INSTEAD = new Set(['window_closed', 'template_unavailable', 'template_unfilled']);

function Instead({ conversation }: { conversation: string }) {
  const { t } = useWords();
  const templates = useDesk((state) => {
    const of = conversationOf(state, conversation);
    return (of && accountOf(state, of)?.templates) ?? false;
  });
  if (!templates) return null;
  return (
    <button type="button" className={classes.retry} onClick={() => show('templates')} data-testid="instead">
      <LayoutTemplate size={13} aria-hidden />
      {t('window.offer')}
    </button>
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
