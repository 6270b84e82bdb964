import { Button, Group, Modal, Textarea } from '@mantine/core';
import { useState } from 'react';
import type { ParkedCause } from '@/api/types';
import { type Key, useWords } from '@/i18n';
import { useParked } from '@/store/parked';
import { redrivable, redriveMany } from '@/store/parked-commands';
import { toastDone } from '@/ui/toast';

/** Asks before many messages go on their way: those of one cause, or all. */
export function BulkDialog(props: { opened: boolean; cause: ParkedCause | null; onClose: () => void }) {
  const { t, plural } = useWords();
  const causes = useParked((state) => state.causes);
  const count = redrivable(props.cause ? [props.cause] : causes);
  const confirm = async () => {
    props.onClose();
    const sent = await redriveMany(props.cause);
    if (sent !== null) toastDone(plural('parked.redriven', sent));
  };
  return (
    <Modal
      opened={props.opened}
      onClose={props.onClose}
      title={t('parked.redriveTitle')}
      centered
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <p style={{ margin: '0 0 20px', color: 'var(--text-2)' }}>{plural('parked.redriveText', count)}</p>
      <Group justify="flex-end" gap="sm">
        <Button variant="default" onClick={props.onClose}>
          {t('action.cancel')}
        </Button>
        <Button onClick={() => void confirm()} data-autofocus data-testid="redrive-confirm">
          {plural('parked.redriveGroup', count)}
        </Button>
      </Group>
    </Modal>
  );
}

interface AskProps {
  opened: boolean;
  title: Key;
  text: Key;
  action: Key;
  /** Whether a reason is asked for, and whether it may be left out. */
  reason: 'none' | 'optional' | 'needed';
  danger?: boolean;
  onClose: () => void;
  onConfirm: (reason: string) => void;
}

/** Asks before one decision, with room for a reason. */
export function AskDialog(props: AskProps) {
  const { t } = useWords();
  const [reason, setReason] = useState('');
  const missing = props.reason === 'needed' && reason.trim() === '';
  const confirm = () => {
    props.onClose();
    props.onConfirm(reason.trim());
    setReason('');
  };
  return (
    <Modal
      opened={props.opened}
      onClose={props.onClose}
      title={t(props.title)}
      centered
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!missing) confirm();
        }}
      >
        <p style={{ margin: '0 0 16px', color: 'var(--text-2)' }}>{t(props.text)}</p>
        {props.reason !== 'none' && (
          <Textarea
            label={props.reason === 'optional' ? `${t('parked.reason')} (${t('parked.optional')})` : t('parked.reason')}
            description={t('parked.reasonHint')}
            autosize
            minRows={2}
            maxRows={6}
            maxLength={400}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            data-autofocus
            data-testid="parked-reason"
          />
        )}
        <Group justify="flex-end" gap="sm" mt="lg">
          <Button variant="default" onClick={props.onClose}>
            {t('action.cancel')}
          </Button>
          <Button
            type="submit"
            color={props.danger ? 'red' : undefined}
            disabled={missing}
            data-autofocus={props.reason === 'none' || undefined}
            data-testid="parked-confirm"
          >
            {t(props.action)}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
