import { Button, Loader } from '@mantine/core';
import { ArrowDown, CloudOff } from 'lucide-react';
import { Fragment, useMemo, useState } from 'react';
import { useShallow } from 'zustand/react/shallow';
import type { Conversation } from '@/api/types';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { accountOf, messagesOf, sendingOf } from '@/store/select';
import { loadOlder, loadThread } from '@/store/threads';
import { Empty } from '@/ui/empty';
import { useMinute } from '@/ui/now';
import { Bubble, SendingBubble } from './bubble';
import classes from './chat.module.css';
import { placed } from './grouping';
import { Lightbox } from './lightbox';
import { useScroll } from './scroll';

export function MessageList({ conversation }: { conversation: Conversation }) {
  const { t, format } = useWords();
  const { id } = conversation;
  const thread = useDesk((state) => state.threads[id]);
  const messages = useDesk(useShallow((state) => messagesOf(state, id)));
  const sending = useDesk(useShallow((state) => sendingOf(state.outbox, id)));
  const account = useDesk((state) => accountOf(state, conversation));
  const now = useMinute();
  const rows = useMemo(() => placed(messages), [messages]);
  const [image, setImage] = useState<string | null>(null);
  const own = sending.length > 0 || messages.at(-1)?.direction === 'out';
  const { box, content, below, follow, onScroll } = useScroll(
    messages[0]?.id,
    messages.length + sending.length,
    own,
    () => void loadOlder(id),
  );

  if (!thread || (thread.status === 'loading' && messages.length === 0)) {
    return (
      <div className={classes.centre}>
        <Loader type="dots" aria-label={t('app.loading')} />
      </div>
    );
  }
  if (thread.status === 'failed') {
    return (
      <div className={classes.centre}>
        <Empty icon={CloudOff} title={t('chat.failed')}>
          <Button size="compact-sm" variant="light" onClick={() => void loadThread(id)}>
            {t('action.retry')}
          </Button>
        </Empty>
      </div>
    );
  }
  return (
    <div className={classes.stage}>
      <div
        className={classes.scroll}
        ref={box}
        onScroll={onScroll}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={t('chat.messages')}
        data-testid="messages"
      >
        <div className={classes.messages} ref={content}>
          <Top hasMore={thread.hasMore} loading={thread.loadingOlder} load={() => void loadOlder(id)} />
          {rows.map(({ message, day, first, last }) => (
            <Fragment key={message.id}>
              {day && (
                <div className={classes.day}>
                  <h3>{format.dayName(message.at, now)}</h3>
                </div>
              )}
              <Bubble
                message={message}
                conversation={conversation}
                account={account}
                first={first}
                last={last}
                openImage={setImage}
              />
            </Fragment>
          ))}
          {sending.map((item) => (
            <SendingBubble key={item.key} item={item} />
          ))}
        </div>
      </div>
      {below && (
        <Button
          className={classes.latest}
          size="compact-sm"
          radius="xl"
          leftSection={<ArrowDown size={15} aria-hidden />}
          onClick={follow}
        >
          {below === 'new' ? t('chat.newBelow') : t('chat.latest')}
        </Button>
      )}
      <Lightbox messages={messages} open={image} choose={setImage} />
    </div>
  );
}

function Top({ hasMore, loading, load }: { hasMore: boolean; loading: boolean; load: () => void }) {
  const { t } = useWords();
  if (!hasMore) return <p className={classes.begin}>{t('chat.begin')}</p>;
  return (
    <div className={classes.begin}>
      {loading ? (
        <Loader type="dots" size="sm" aria-label={t('chat.older')} />
      ) : (
        <Button size="compact-sm" variant="subtle" onClick={load} data-testid="load-older">
          {t('chat.loadOlder')}
        </Button>
      )}
    </div>
  );
}
