import { ActionIcon, Button, Loader, Menu, Progress, SegmentedControl, Tooltip } from '@mantine/core';
import { Check, CloudOff, Filter, History, Menu as MenuIcon, Play, SearchX, ShieldCheck } from 'lucide-react';
import { useState } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { NONE } from '@/api/parked';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { ENDED, keyOf, loadParked, PERIODS, type Period, type Standing, showParked, useParked } from '@/store/parked';
import { redrivable } from '@/store/parked-commands';
import { channelsOf } from '@/store/select';
import { useUi } from '@/store/ui';
import { ChannelMark, channelName } from '@/ui/channel';
import { Empty } from '@/ui/empty';
import { ConnectionDot } from '../shell/connection';
import classes from './cause-column.module.css';
import { CauseGroup } from './cause-group';
import { BulkDialog } from './dialogs';
import marks from './marks.module.css';
import { ParkedRows } from './parked-rows';

/** The causes, with what can be done about all of them. `alone`: nothing stands beside it. */
export function CauseColumn({ menu, open, alone }: { menu: boolean; open: string | null; alone: boolean }) {
  const { t, plural } = useWords();
  const { standing, total, causes } = useParked();
  const [asking, setAsking] = useState(false);
  return (
    <section className={classes.column} data-alone={alone || undefined} aria-label={t('parked.title')} data-list>
      <header className={classes.header}>
        <div className={classes.top}>
          {menu && (
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={t('nav.open')}
              onClick={() => useUi.setState({ nav: true })}
              data-testid="menu"
            >
              <MenuIcon size={20} aria-hidden />
            </ActionIcon>
          )}
          <div className={classes.heading}>
            <h1 className={classes.title}>{t('parked.title')}</h1>
            <p className={classes.lead} data-testid="parked-total">
              {total === 0 ? t('parked.lead') : plural('parked.total', total)}
            </p>
          </div>
          {menu && <ConnectionDot bare />}
        </div>
        <div className={classes.tools}>
          <SegmentedControl
            size="xs"
            value={standing}
            onChange={(value) => showParked({ standing: value as Standing })}
            data={(['waiting', 'ended'] as const).map((value) => ({ value, label: t(`parked.${value}`) }))}
            aria-label={t('parked.standing')}
            data-testid="parked-standing"
          />
          <Narrow />
          <span style={{ flex: 1 }} />
          {standing === 'waiting' && redrivable(causes) > 1 && causes.length > 1 && (
            <Button
              size="compact-sm"
              variant="light"
              leftSection={<Play size={14} aria-hidden />}
              onClick={() => setAsking(true)}
              data-testid="redrive-all"
            >
              {t('parked.redriveAll')}
            </Button>
          )}
        </div>
        <Going />
      </header>
      <div className={classes.scroll}>
        <Content standing={standing} open={open} />
      </div>
      <BulkDialog opened={asking} cause={null} onClose={() => setAsking(false)} />
    </section>
  );
}

function Content({ standing, open }: { standing: Standing; open: string | null }) {
  const { t } = useWords();
  const { status, causes, channel, period } = useParked();
  const filtered = channel !== null || period !== 'all';
  const ended = useParked((state) => state.rows[ENDED]);
  if (status === 'failed')
    return (
      <Empty icon={CloudOff} title={t('parked.failed')}>
        <Button size="compact-sm" variant="light" onClick={() => void loadParked()}>
          {t('list.retry')}
        </Button>
      </Empty>
    );
  const isReading = standing === 'waiting' ? status === 'loading' : ended === undefined || ended.status === 'loading';
  const isEmpty = standing === 'waiting' ? causes.length === 0 : (ended?.items.length ?? 0) === 0;
  if (isReading && isEmpty)
    return (
      <div className={marks.middle}>
        <Loader type="dots" aria-label={t('app.loading')} />
      </div>
    );
  if (isEmpty && filtered)
    return (
      <Empty icon={SearchX} title={t('parked.none')}>
        <p style={{ margin: '0 0 8px' }}>{t('parked.noneHint')}</p>
        <Button size="compact-sm" variant="light" onClick={() => showParked({ channel: null, period: 'all' })}>
          {t('list.reset')}
        </Button>
      </Empty>
    );
  if (isEmpty && standing === 'ended')
    return (
      <Empty icon={History} title={t('parked.emptyEnded')}>
        {t('parked.emptyEndedHint')}
      </Empty>
    );
  if (isEmpty)
    return (
      <Empty icon={ShieldCheck} title={t('parked.empty')}>
        {t('parked.emptyHint')}
      </Empty>
    );
  if (standing === 'ended') return <ParkedRows of={ENDED} label={t('parked.ended')} open={open} named />;
  return (
    <ul className={classes.causes} aria-label={t('parked.causes')} data-testid="parked-causes">
      {causes.map((cause) => (
        <CauseGroup key={keyOf(cause)} cause={cause} open={open} />
      ))}
    </ul>
  );
}

/** How far a group on its way has come. */
function Going() {
  const { t, format } = useWords();
  const bulk = useParked((state) => state.bulk);
  const left = useParked((state) => state.causes.reduce((sum, cause) => sum + cause.requested, 0));
  if (bulk === null || bulk.total === 0) return null;
  const done = Math.max(0, bulk.total - left);
  const words = t('parked.progress', { done: format.number(done), total: format.number(bulk.total) });
  return (
    <div className={classes.going} role="status" data-testid="parked-progress">
      <Progress value={(100 * done) / bulk.total} size="sm" animated aria-label={words} />
      <span>{words}</span>
    </div>
  );
}

function Narrow() {
  const { t } = useWords();
  const { channel, period } = useParked();
  const channels = useDesk(useShallow(channelsOf));
  return (
    <Menu position="bottom-end" shadow="md" width={220} withinPortal>
      <Menu.Target>
        <Tooltip label={t('parked.filter')}>
          <ActionIcon
            variant={channel === null && period === 'all' ? 'default' : 'light'}
            size={30}
            aria-label={t('parked.filter')}
            data-testid="parked-filter"
          >
            <Filter size={15} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t('parked.channel')}</Menu.Label>
        <Choice chosen={channel === null} onClick={() => showParked({ channel: null })}>
          {t('parked.allChannels')}
        </Choice>
        {channels.map((one) => (
          <Choice
            key={one}
            chosen={channel === one}
            onClick={() => showParked({ channel: one })}
            mark={<ChannelMark channel={one} />}
          >
            {channelName(one)}
          </Choice>
        ))}
        <Choice chosen={channel === NONE} onClick={() => showParked({ channel: NONE })}>
          {t('parked.noChannel')}
        </Choice>
        <Menu.Divider />
        <Menu.Label>{t('parked.period')}</Menu.Label>
        {(Object.keys(PERIODS) as Period[]).map((one) => (
          <Choice key={one} chosen={period === one} onClick={() => showParked({ period: one })}>
            {t(`parked.period.${one}`)}
          </Choice>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Choice(props: { chosen: boolean; onClick: () => void; children: string; mark?: React.ReactNode }) {
  return (
    <Menu.Item
      onClick={props.onClick}
      aria-current={props.chosen}
      leftSection={props.mark}
      rightSection={props.chosen ? <Check size={15} aria-hidden /> : null}
    >
      {props.children}
    </Menu.Item>
  );
}
