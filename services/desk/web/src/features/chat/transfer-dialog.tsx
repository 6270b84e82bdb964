import { Loader, Modal, SegmentedControl, TextInput } from '@mantine/core';
import { Layers, Search } from 'lucide-react';
import { useEffect, useState } from 'react';
import { listAgents, type Target } from '@/api/calls';
import { asApiError } from '@/api/problem';
import type { Agent, Conversation } from '@/api/types';
import { useWords } from '@/i18n';
import { transfer } from '@/store/commands';
import { useDesk } from '@/store/desk';
import { currentRoute, go } from '@/store/route';
import { folded } from '@/store/select';
import { show, useUi } from '@/store/ui';
import { Avatar } from '@/ui/avatar';
import { toastDone, toastError } from '@/ui/toast';
import desk from '../shell/desk.module.css';
import chat from './chat.module.css';
import classes from './transfer.module.css';

export function TransferDialog({ conversation }: { conversation: Conversation }) {
  const { t } = useWords();
  const opened = useUi((ui) => ui.dialog === 'transfer');
  return (
    <Modal
      opened={opened}
      onClose={() => show(null)}
      title={t('transfer.title')}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <Choice conversation={conversation} />
    </Modal>
  );
}

function Choice({ conversation }: { conversation: Conversation }) {
  const { t } = useWords();
  const [to, setTo] = useState<Target['type']>('agent');
  const [search, setSearch] = useState('');
  const needle = folded(search.trim());

  const choose = async (target: Target, name: string) => {
    show(null);
    if (!(await transfer(conversation.id, target, name))) return;
    toastDone(t('transfer.done', { name }));
    if (currentRoute().conversation === conversation.id) go({ conversation: null });
  };

  return (
    <div data-testid="transfer-dialog">
      <SegmentedControl
        fullWidth
        size="sm"
        value={to}
        onChange={(value) => setTo(value as Target['type'])}
        data={[
          { value: 'agent', label: t('transfer.agents') },
          { value: 'queue', label: t('transfer.queues') },
        ]}
      />
      <TextInput
        mt="sm"
        data-autofocus
        leftSection={<Search size={15} aria-hidden />}
        placeholder={t('transfer.search')}
        aria-label={t('transfer.search')}
        value={search}
        onChange={(event) => setSearch(event.currentTarget.value)}
      />
      {to === 'agent' ? (
        <Agents needle={needle} conversation={conversation} choose={choose} />
      ) : (
        <Queues needle={needle} conversation={conversation} choose={choose} />
      )}
    </div>
  );
}

interface ListProps {
  needle: string;
  conversation: Conversation;
  choose: (target: Target, name: string) => Promise<void>;
}

function Agents({ needle, conversation, choose }: ListProps) {
  const { t } = useWords();
  const [agents, setAgents] = useState<Agent[] | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    listAgents(stop.signal)
      .then(({ items }) => setAgents(items))
      .catch((thrown: unknown) => {
        if (stop.signal.aborted) return;
        setAgents([]);
        toastError(asApiError(thrown));
      });
    return () => stop.abort();
  }, []);
  if (!agents)
    return (
      <div className={chat.centre} style={{ height: 160 }}>
        <Loader type="dots" aria-label={t('app.loading')} />
      </div>
    );
  const rank = { online: 0, paused: 1, offline: 2 };
  const shown = agents
    .filter((agent) => agent.id !== conversation.agent?.id && folded(agent.name).includes(needle))
    .sort((a, b) => rank[a.presence] - rank[b.presence] || a.load - b.load || a.name.localeCompare(b.name));
  if (shown.length === 0)
    return (
      <p className={chat.begin} style={{ padding: 24 }}>
        {t('transfer.nobody')}
      </p>
    );
  return (
    <ul className={classes.agents}>
      {shown.map((agent) => {
        const full = agent.load >= agent.capacity;
        return (
          <li key={agent.id}>
            <button
              type="button"
              className={classes.agent}
              disabled={full || agent.presence === 'offline'}
              onClick={() => void choose({ type: 'agent', id: agent.id }, agent.name)}
              data-testid="transfer-agent"
              data-agent={agent.id}
            >
              <Avatar name={agent.name} size={34} />
              <span className={classes.agentWords}>
                <span className="clip" style={{ display: 'block', fontWeight: 550 }}>
                  {agent.name}
                </span>
                <span className={classes.presence}>
                  <span className={desk.dot} data-state={agent.presence} aria-hidden />
                  {t(`presence.${agent.presence}`)}
                </span>
              </span>
              <span className={`${classes.faint} numbers`}>
                {full ? t('transfer.full') : t('transfer.load', { load: agent.load, capacity: agent.capacity })}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function Queues({ needle, conversation, choose }: ListProps) {
  const { t } = useWords();
  const queues = useDesk((state) => state.me?.queues ?? []);
  const shown = queues.filter((queue) => folded(queue.name).includes(needle));
  if (shown.length === 0)
    return (
      <p className={chat.begin} style={{ padding: 24 }}>
        {t('transfer.nobody')}
      </p>
    );
  return (
    <ul className={classes.agents}>
      {shown.map((queue) => (
        <li key={queue.id}>
          <button
            type="button"
            className={classes.agent}
            onClick={() => void choose({ type: 'queue', id: queue.id }, queue.name)}
            data-testid="transfer-queue"
            data-queue={queue.id}
          >
            <Layers size={20} aria-hidden style={{ color: 'var(--text-3)' }} />
            <span className={classes.agentWords}>
              <span className="clip" style={{ display: 'block', fontWeight: 550 }}>
                {queue.name}
              </span>
              <span className={classes.presence}>{t(`transfer.${queue.distribution}`)}</span>
            </span>
            {queue.id === conversation.queue.id && <span className={classes.faint}>{t('transfer.here')}</span>}
          </button>
        </li>
      ))}
    </ul>
  );
}
