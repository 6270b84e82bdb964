import { Button, Group, Modal } from '@mantine/core';
import type { Conversation } from '@/api/types';
import { useWords } from '@/i18n';
import { conclude } from '@/store/commands';
import { currentRoute, go } from '@/store/route';
import { titleOf } from '@/store/select';
import { show, useUi } from '@/store/ui';
import { toastDone } from '@/ui/toast';

export function ConcludeDialog({ conversation }: { conversation: Conversation }) {
  const { t } = useWords();
  const opened = useUi((ui) => ui.dialog === 'conclude');
  const confirm = async () => {
    show(null);
    if (!(await conclude(conversation.id))) return;
    toastDone(t('conclude.done'));
    if (currentRoute().conversation === conversation.id) go({ conversation: null });
  };
  return (
    <Modal
      opened={opened}
      onClose={() => show(null)}
      title={t('conclude.title')}
      centered
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <p style={{ margin: '0 0 20px', color: 'var(--text-2)' }}>
        {t('conclude.text', { name: titleOf(conversation) })}
      </p>
      <Group justify="flex-end" gap="sm">
        <Button variant="default" onClick={() => show(null)}>
          {t('action.cancel')}
        </Button>
        <Button onClick={() => void confirm()} data-autofocus data-testid="conclude-confirm">
          {t('action.conclude')}
        </Button>
      </Group>
    </Modal>
  );
}
