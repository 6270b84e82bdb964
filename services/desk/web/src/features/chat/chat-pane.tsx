import { Loader } from '@mantine/core';
import { MessageSquareDashed, MessagesSquare } from 'lucide-react';
import { useEffect, useState } from 'react';
import { readConversation } from '@/api/calls';
import { asApiError } from '@/api/problem';
import { useWords } from '@/i18n';
import { dispatch, useDesk } from '@/store/desk';
import { conversationOf, isMine } from '@/store/select';
import { loadThread, noteRead } from '@/store/threads';
import { Empty } from '@/ui/empty';
import { Keys, Sentence } from '@/ui/keys';
import { Composer } from '../composer/composer';
import classes from './chat.module.css';
import { ChatHeader } from './header';
import { MessageList } from './message-list';
import { StandbyBar, WaitingBar } from './standby';

interface Props {
  id: string | null;
  narrow: boolean;
  overlaid: boolean;
}

export function ChatPane({ id, narrow, overlaid }: Props) {
  const { t } = useWords();
  return (
    <main className={classes.pane} id="main" tabIndex={-1} aria-label={t('chat.label')}>
      {id === null ? (
        <Empty icon={MessagesSquare} title={t('chat.pick')}>
          <Sentence
            text={t('chat.pickHint')}
            parts={{ j: <Keys of="J" />, k: <Keys of="K" />, enter: <Keys of="Enter" /> }}
          />
        </Empty>
      ) : (
        <Opened key={id} id={id} narrow={narrow} overlaid={overlaid} />
      )}
    </main>
  );
}

function Opened({ id, narrow, overlaid }: { id: string; narrow: boolean; overlaid: boolean }) {
  const { t } = useWords();
  const conversation = useDesk((state) => conversationOf(state, id));
  const mine = useDesk((state) => conversation !== null && isMine(state, conversation));
  // While a take is on its way the desk does not know yet whose reading counts.
  const settled = useDesk((state) => state.overlays[id] === undefined);
  const gone = useMissing(id, conversation !== null);
  useEffect(() => void loadThread(id), [id]);
  useReading(id, mine && settled, conversation?.unread ?? 0);

  if (!conversation) {
    if (gone) return <Empty icon={MessageSquareDashed} title={t('chat.gone')} />;
    return (
      <div className={classes.centre}>
        <Loader type="dots" aria-label={t('app.loading')} />
      </div>
    );
  }
  return (
    <>
      <ChatHeader conversation={conversation} mine={mine} narrow={narrow} overlaid={overlaid} />
      <MessageList conversation={conversation} />
      {conversation.state === 'waiting' ? (
        <WaitingBar conversation={conversation} />
      ) : mine && conversation.state !== 'closed' ? (
        <Composer conversation={conversation} />
      ) : (
        <StandbyBar conversation={conversation} />
      )}
    </>
  );
}

/** A link may name a conversation that no list holds: ask for it. True when it is not to be had. */
function useMissing(id: string, known: boolean): boolean {
  const [gone, setGone] = useState(false);
  const ready = useDesk((state) => state.lists !== 'loading');
  useEffect(() => {
    if (known || !ready) return;
    let over = false;
    readConversation(id)
      .then((conversation) => dispatch({ type: 'conversation', conversation }))
      .catch((thrown: unknown) => {
        if (!over && !asApiError(thrown).isNetwork) setGone(true);
      });
    return () => {
      over = true;
    };
  }, [id, known, ready]);
  return gone;
}

/** What lies open before the agent's eyes is read. */
function useReading(id: string, mine: boolean, unread: number): void {
  useEffect(() => {
    if (!mine || unread === 0) return;
    const note = () => {
      if (document.visibilityState === 'visible') void noteRead(id);
    };
    note();
    document.addEventListener('visibilitychange', note);
    return () => document.removeEventListener('visibilitychange', note);
  }, [id, mine, unread]);
}
