import { ActionIcon, Button, CloseButton, Loader, Menu, TextInput, Tooltip } from '@mantine/core';
import {
  ArrowDownUp,
  Check,
  CloudOff,
  Inbox,
  ListFilter,
  Menu as MenuIcon,
  MessagesSquare,
  MoonStar,
  Search,
  SearchX,
} from 'lucide-react';
import { useState } from 'react';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { useRoute } from '@/store/route';
import { orderOf, rowsOf, totalOf, type View } from '@/store/select';
import { loadLists } from '@/store/session';
import { refine, useUi } from '@/store/ui';
import { channelName } from '@/ui/channel';
import { Empty } from '@/ui/empty';
import { ConnectionDot } from '../shell/connection';
import classes from './list.module.css';
import { Row } from './row';
import { useServerSearch } from './search';
import { Tabs } from './tabs';

/** Rows drawn at first, and added each time the end comes into sight. */
const PAGE = 60;
const ICONS = { waiting: Inbox, active: MessagesSquare, inactive: MoonStar } as const;

/** `wide`: no conversation is open, the waiting list spreads into a table. */
export function ListColumn({ wide, menu }: { wide: boolean; menu: boolean }) {
  const { t } = useWords();
  const { view } = useRoute();
  return (
    <section className={classes.column} data-wide={wide || undefined} aria-label={t(`view.${view}`)} data-list>
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
          <Tabs />
          {menu && <ConnectionDot bare />}
        </div>
        <Tools view={view} />
      </header>
      <Rows key={view} view={view} wide={wide} />
    </section>
  );
}

function Tools({ view }: { view: View }) {
  const { t } = useWords();
  const { filter } = useUi();
  const queues = useDesk((state) => state.me?.queues ?? []);
  useServerSearch(view, filter.search);
  return (
    <div className={classes.tools}>
      <TextInput
        className={classes.search}
        size="sm"
        type="search"
        placeholder={t('list.search')}
        aria-label={t('list.search')}
        leftSection={<Search size={15} aria-hidden />}
        rightSection={
          filter.search === '' ? null : (
            <CloseButton size="sm" aria-label={t('list.clear')} onClick={() => refine({ search: '' })} />
          )
        }
        value={filter.search}
        onChange={(event) => refine({ search: event.currentTarget.value })}
        data-search
        data-testid="search"
      />
      <Menu position="bottom-end" shadow="md" width={240} withinPortal>
        <Menu.Target>
          <Tooltip label={`${t('list.filter')}, ${t('list.order')}`}>
            <ActionIcon
              variant={filter.queue === null ? 'default' : 'light'}
              size={34}
              aria-label={`${t('list.filter')}, ${t('list.order')}`}
              data-testid="filter"
            >
              {filter.order === null && filter.queue === null ? (
                <ListFilter size={16} aria-hidden />
              ) : (
                <ArrowDownUp size={16} aria-hidden />
              )}
            </ActionIcon>
          </Tooltip>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{t('list.order')}</Menu.Label>
          {(['oldest', 'newest'] as const).map((order) => (
            <Choice
              key={order}
              chosen={orderOf(view, filter) === order}
              onClick={() => refine({ order })}
              testid={`order-${order}`}
            >
              {t(`list.${order}`)}
            </Choice>
          ))}
          <Menu.Divider />
          <Menu.Label>{t('nav.queues')}</Menu.Label>
          <Choice chosen={filter.queue === null} onClick={() => refine({ queue: null })}>
            {t('nav.allQueues')}
          </Choice>
          {queues.map((queue) => (
            <Choice key={queue.id} chosen={filter.queue === queue.id} onClick={() => refine({ queue: queue.id })}>
              {queue.name}
            </Choice>
          ))}
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}

function Choice(props: { chosen: boolean; onClick: () => void; children: string; testid?: string }) {
  return (
    <Menu.Item
      onClick={props.onClick}
      aria-current={props.chosen}
      rightSection={props.chosen ? <Check size={15} aria-hidden /> : null}
      data-testid={props.testid}
    >
      {props.children}
    </Menu.Item>
  );
}

function Rows({ view, wide }: { view: View; wide: boolean }) {
  const { t, format } = useWords();
  const { conversation: open } = useRoute();
  const { filter, found } = useUi();
  const state = useDesk();
  const [shown, setShown] = useState(PAGE);
  const rows = rowsOf(state, view, filter, found);
  const filtered = filter.channel !== null || filter.queue !== null || filter.search !== '';
  if (state.lists !== 'ready' && rows.length === 0) return <Absent failed={state.lists === 'failed'} />;
  const beyond = !filtered && totalOf(state, view) > rows.length;
  return (
    <>
      {filter.channel !== null && (
        <div className={classes.chips}>
          <button type="button" className={classes.chip} onClick={() => refine({ channel: null })}>
            {channelName(filter.channel)} <span aria-hidden>×</span>
          </button>
        </div>
      )}
      {rows.length === 0 ? (
        <Nothing view={view} filtered={filtered} />
      ) : (
        <div
          className={classes.scroll}
          onScroll={({ currentTarget: box }) => {
            if (box.scrollHeight - box.scrollTop - box.clientHeight < 600)
              setShown((now) => Math.min(rows.length, Math.max(now, PAGE) + PAGE));
          }}
        >
          {wide && <Columns />}
          <ul className={classes.rows} aria-label={t(`view.${view}`)} data-testid={`list-${view}`}>
            {rows.slice(0, shown).map((row, index) => (
              <Row
                key={row.id}
                conversation={row}
                view={view}
                wide={wide}
                open={row.id === open}
                entry={rows.some(({ id }) => id === open) ? row.id === open : index === 0}
              />
            ))}
          </ul>
          {beyond && <p className={classes.partial}>{t('list.partial', { count: format.number(rows.length) })}</p>}
        </div>
      )}
    </>
  );
}

function Columns() {
  const { t } = useWords();
  return (
    <div className={classes.columns} aria-hidden>
      <span>{t('column.name')}</span>
      <span>{t('column.address')}</span>
      <span>{t('column.preview')}</span>
      <span>{t('column.queue')}</span>
      <span>{t('column.account')}</span>
      <span>{t('column.date')}</span>
      <span>{t('column.wait')}</span>
      <span />
    </div>
  );
}

function Absent({ failed }: { failed: boolean }) {
  const { t } = useWords();
  if (!failed)
    return (
      <div className={classes.middle}>
        <Loader type="dots" aria-label={t('app.loading')} />
      </div>
    );
  return (
    <Empty icon={CloudOff} title={t('list.failed')}>
      <Button size="compact-sm" variant="light" onClick={() => void loadLists(false)}>
        {t('list.retry')}
      </Button>
    </Empty>
  );
}

function Nothing({ view, filtered }: { view: View; filtered: boolean }) {
  const { t } = useWords();
  if (!filtered)
    return (
      <Empty icon={ICONS[view]} title={t(`list.empty.${view}`)}>
        {t(`list.empty.${view}Hint`)}
      </Empty>
    );
  return (
    <Empty icon={SearchX} title={t('list.none')}>
      <p style={{ margin: '0 0 8px' }}>{t('list.noneHint')}</p>
      <Button size="compact-sm" variant="light" onClick={() => refine({ search: '', channel: null, queue: null })}>
        {t('list.reset')}
      </Button>
    </Empty>
  );
}
