import { Tooltip, UnstyledButton } from '@mantine/core';
import { spotlight } from '@mantine/spotlight';
import { Command, Inbox, Keyboard, Layers, OctagonPause } from 'lucide-react';
import type { ReactNode } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { useParked } from '@/store/parked';
import { currentRoute, go, goParked, useRoute } from '@/store/route';
import { allConversations, channelsOf, sum, supervises } from '@/store/select';
import { refine, show, useUi } from '@/store/ui';
import { Brand } from '@/ui/brand';
import { ChannelMark, channelName } from '@/ui/channel';
import { ConnectionDot } from './connection';
import classes from './nav.module.css';
import { PresenceMenu } from './presence-menu';
import { SettingsMenu } from './settings-menu';

/** Who am I, how do I stand, and what waits by channel and queue. `rail`: icons only. */
export function Nav({ rail, drawer = false }: { rail: boolean; drawer?: boolean }) {
  const { t } = useWords();
  const me = useDesk((state) => state.me);
  return (
    <nav
      className={classes.nav}
      data-rail={rail || undefined}
      data-drawer={drawer || undefined}
      aria-label={t('nav.label')}
    >
      <div className={classes.brand}>
        <Brand size={28} />
        {!rail && (
          <div className="clip">
            <div className={classes.product}>{t('app.name')}</div>
            <div className={classes.organization}>{me?.organization.name}</div>
          </div>
        )}
        {!rail && <span style={{ flex: 1 }} />}
        {!rail && <ConnectionDot bare />}
      </div>
      <PresenceMenu rail={rail} />
      <div className={classes.middle}>
        <Channels rail={rail} />
        {!rail && <Queues />}
        <Parked rail={rail} />
      </div>
      <div className={classes.foot}>
        {rail && <ConnectionDot bare />}
        <Item
          rail={rail}
          icon={<Command size={17} aria-hidden />}
          label={t('nav.commands')}
          hint="Ctrl K"
          onClick={() => spotlight.open()}
        />
        <Item
          rail={rail}
          icon={<Keyboard size={17} aria-hidden />}
          label={t('nav.shortcuts')}
          hint="?"
          onClick={() => show('shortcuts')}
        />
        <SettingsMenu rail={rail} />
      </div>
    </nav>
  );
}

interface ItemProps {
  rail: boolean;
  icon: ReactNode;
  label: string;
  count?: number;
  hint?: string;
  pressed?: boolean;
  onClick: () => void;
  testid?: string;
  countTestid?: string;
}

function Item({ rail, icon, label, count, hint, pressed, onClick, testid, countTestid }: ItemProps) {
  const { format } = useWords();
  const button = (
    <UnstyledButton
      className={classes.item}
      data-active={pressed || undefined}
      aria-pressed={pressed}
      aria-label={rail ? (count === undefined ? label : `${label}, ${count}`) : undefined}
      onClick={onClick}
      data-testid={testid}
    >
      <span className={classes.icon}>{icon}</span>
      {!rail && <span className="clip">{label}</span>}
      {hint && !rail && <span className={classes.hint}>{hint}</span>}
      {count !== undefined && (
        <span className={`${classes.count} numbers`} data-zero={count === 0 || undefined} data-testid={countTestid}>
          {rail && count > 99 ? '99+' : format.number(count)}
        </span>
      )}
    </UnstyledButton>
  );
  return rail ? (
    <Tooltip label={label} position="right">
      {button}
    </Tooltip>
  ) : (
    button
  );
}

/** A channel or queue is a filter of the desk's lists. */
function leaveParked(): void {
  if (currentRoute().place === 'parked') go({ view: 'waiting', conversation: null });
}

function Channels({ rail }: { rail: boolean }) {
  const { t } = useWords();
  const channels = useDesk(useShallow(channelsOf));
  const counts = useDesk(useShallow((state) => channels.map((channel) => sum(state, 'waiting', channel))));
  const chosen = useUi((ui) => ui.filter.channel);
  const isParked = useRoute().place === 'parked';
  const pick = (channel: string | null) => {
    refine({ channel });
    leaveParked();
    useUi.setState({ nav: false });
  };
  return (
    <section className={classes.group} aria-label={t('nav.channels')}>
      {!rail && <div className={classes.heading}>{t('nav.channels')}</div>}
      <Item
        rail={rail}
        icon={<Inbox size={17} aria-hidden />}
        label={t('nav.all')}
        count={counts.reduce((a, b) => a + b, 0)}
        pressed={chosen === null && !isParked}
        onClick={() => pick(null)}
        testid="channel-all"
        countTestid="channel-count-all"
      />
      {channels.map((channel, index) => (
        <Item
          key={channel}
          rail={rail}
          icon={<ChannelMark channel={channel} />}
          label={channelName(channel)}
          count={counts[index] ?? 0}
          pressed={chosen === channel && !isParked}
          onClick={() => pick(chosen === channel ? null : channel)}
          testid={`channel-${channel}`}
          countTestid={`channel-count-${channel}`}
        />
      ))}
    </section>
  );
}

/** For supervisors: what could not go on. */
function Parked({ rail }: { rail: boolean }) {
  const { t } = useWords();
  const shown = useDesk(supervises);
  const total = useParked((state) => state.total);
  const { place } = useRoute();
  if (!shown) return null;
  return (
    <section className={classes.group} aria-label={t('parked.title')}>
      <Item
        rail={rail}
        icon={<OctagonPause size={17} aria-hidden />}
        label={t('parked.nav')}
        count={total}
        pressed={place === 'parked'}
        onClick={() => {
          goParked(null);
          useUi.setState({ nav: false });
        }}
        testid="nav-parked"
        countTestid="parked-count"
      />
    </section>
  );
}

function Queues() {
  const { t } = useWords();
  const queues = useDesk((state) => state.me?.queues ?? []);
  const counts = useDesk(
    useShallow((state) => {
      const waiting: Record<string, number> = {};
      for (const { state: stage, queue } of allConversations(state)) {
        if (stage === 'waiting') waiting[queue.id] = (waiting[queue.id] ?? 0) + 1;
      }
      return waiting;
    }),
  );
  const chosen = useUi((ui) => ui.filter.queue);
  if (queues.length === 0) return null;
  return (
    <section className={classes.group} aria-label={t('nav.queues')}>
      <div className={classes.heading}>{t('nav.queues')}</div>
      {queues.map((queue) => (
        <Item
          key={queue.id}
          rail={false}
          icon={<Layers size={16} aria-hidden />}
          label={queue.name}
          count={counts[queue.id] ?? 0}
          pressed={chosen === queue.id}
          onClick={() => {
            refine({ queue: chosen === queue.id ? null : queue.id });
            leaveParked();
            useUi.setState({ nav: false });
          }}
        />
      ))}
    </section>
  );
}
