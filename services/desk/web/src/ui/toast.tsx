import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { CircleCheck, TriangleAlert } from 'lucide-react';
import type { ApiError } from '@/api/problem';
import { wordsIn } from '@/i18n';
import { usePreferences } from '@/store/preferences';

/** Says what went wrong in the agent's language, by the code; `again` adds a button. */
export function toastError(error: ApiError, again?: () => void): void {
  const words = wordsIn(usePreferences.getState().language);
  const id = `error-${error.code}`;
  notifications.hide(id);
  notifications.show({
    id,
    color: 'red',
    icon: <TriangleAlert size={18} aria-hidden />,
    title: words.error(error.code),
    autoClose: again ? 15_000 : 8_000,
    withBorder: true,
    closeButtonProps: { 'aria-label': words.t('action.close') },
    'data-testid': 'toast-error',
    'data-code': error.code,
    message: (
      <>
        {error.traceId && error.code === 'internal' && <div>{words.t('toast.trace', { id: error.traceId })}</div>}
        {again && (
          <Button
            size="compact-sm"
            variant="light"
            mt={6}
            onClick={() => {
              notifications.hide(id);
              again();
            }}
          >
            {words.t('action.retry')}
          </Button>
        )}
      </>
    ),
  } as Parameters<typeof notifications.show>[0]);
}

export function toastDone(message: string): void {
  const words = wordsIn(usePreferences.getState().language);
  notifications.show({
    message,
    icon: <CircleCheck size={18} aria-hidden />,
    withBorder: true,
    autoClose: 3500,
    closeButtonProps: { 'aria-label': words.t('action.close') },
  });
}
