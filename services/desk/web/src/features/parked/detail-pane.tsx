import { ActionIcon, Button, CopyButton, Loader, Tooltip } from '@mantine/core';
import { ArrowLeft, BookOpen, Check, CloudOff, Copy, MessageSquare, MessageSquareDashed } from 'lucide-react';
import type { ReactNode } from 'react';
import type { ParkedDetail } from '@/api/types';
import { useWords } from '@/i18n';
import { loadDetail, useParked } from '@/store/parked';
import { go, goParked } from '@/store/route';
import { ChannelMark } from '@/ui/channel';
import { Empty } from '@/ui/empty';
import { ContentView } from '../chat/content';
import { Actions } from './actions';
import classes from './detail-pane.module.css';
import marks from './marks.module.css';
import { placeOf, whoseOf } from './words';

/** One parked message with all that is known of it. `alone`: nothing stands beside it. */
export function DetailPane({ id, alone }: { id: string; alone: boolean }) {
  const { t } = useWords();
  const detail = useParked((state) => state.details[id]);
  return (
    <section className={classes.pane} aria-label={t('parked.message')} data-testid="parked-detail">
      {alone && (
        <Button
          className={classes.back}
          size="compact-sm"
          variant="subtle"
          color="gray"
          leftSection={<ArrowLeft size={16} aria-hidden />}
          onClick={() => goParked(null)}
          data-testid="parked-back"
        >
          {t('parked.back')}
        </Button>
      )}
      <Body id={id} detail={detail} />
    </section>
  );
}

function Body({ id, detail }: { id: string; detail: ParkedDetail | 'failed' | 'gone' | undefined }) {
  const { t } = useWords();
  if (detail === undefined)
    return (
      <div className={marks.middle}>
        <Loader type="dots" aria-label={t('app.loading')} />
      </div>
    );
  if (detail === 'gone') return <Empty icon={MessageSquareDashed} title={t('parked.gone')} />;
  if (detail === 'failed')
    return (
      <Empty icon={CloudOff} title={t('parked.failed')}>
        <Button size="compact-sm" variant="light" onClick={() => void loadDetail(id)}>
          {t('list.retry')}
        </Button>
      </Empty>
    );
  return (
    <div className={classes.paper}>
      <Head detail={detail} />
      <Actions item={detail.item} />
      <Said detail={detail} />
      <Facts detail={detail} />
      <History detail={detail} />
      <Raw detail={detail} />
    </div>
  );
}

function Head({ detail: { item, conversation } }: { detail: ParkedDetail }) {
  const words = useWords();
  const { t, error } = words;
  return (
    <header className={classes.paneHead}>
      <div className={classes.paneTop}>
        {item.channel !== null && <ChannelMark channel={item.channel} />}
        <span>{[whoseOf(item), placeOf(words, item.place)].filter(Boolean).join(' · ')}</span>
        <span className={marks.state} data-state={item.state} data-testid="parked-state">
          {t(`parked.state.${item.state}`)}
        </span>
      </div>
      <h2 className={classes.paneTitle}>{error(item.code)}</h2>
      <div className={classes.links}>
        <a className={marks.link} href={`/errors/${item.code}`} target="_blank" rel="noreferrer">
          <BookOpen size={14} aria-hidden /> {t('parked.whatToDo')}
        </a>
        {conversation !== null && (
          <button
            type="button"
            className={marks.link}
            onClick={() => go({ view: 'active', conversation })}
            data-testid="parked-conversation"
          >
            <MessageSquare size={14} aria-hidden /> {t('parked.openConversation')}
          </button>
        )}
      </div>
    </header>
  );
}

function Said({ detail: { item, content, conversation } }: { detail: ParkedDetail }) {
  const { t } = useWords();
  if (content === null) return null;
  return (
    <section>
      <h3 className={classes.section}>{t('parked.message')}</h3>
      <div className={classes.bubble} data-out={item.in_doubt || undefined}>
        <ContentView
          message={{ id: item.id, content, conversation: conversation ?? '' }}
          openImage={() => undefined}
          saveable={false}
        />
      </div>
    </section>
  );
}

function Facts({ detail: { item, address, route } }: { detail: ParkedDetail }) {
  const words = useWords();
  const { t, format } = words;
  return (
    <section>
      <h3 className={classes.section}>{t('parked.facts')}</h3>
      <dl className={classes.facts}>
        <Fact label={t('parked.happened')} wide>
          {item.reason}
        </Fact>
        {item.provider_code !== null && (
          <Fact label={t('parked.providerCode')}>
            <code className={marks.code} data-testid="parked-provider-code">
              {item.provider_code}
            </code>
          </Fact>
        )}
        <Fact label={t('parked.at')}>{format.dateTime(item.at)}</Fact>
        <Fact label={t('parked.place')}>
          <code>{item.place}</code>
        </Fact>
        {item.account !== null && <Fact label={t('parked.account')}>{item.account.label}</Fact>}
        {address !== null && <Fact label={t('parked.address')}>{address}</Fact>}
        <Fact label={t('parked.code')}>
          <code>{item.code}</code>
        </Fact>
        <Fact label={t('parked.route')}>
          <code>{route}</code>
        </Fact>
        <Fact label={t('parked.id')}>
          <code>{item.id}</code>
        </Fact>
      </dl>
    </section>
  );
}

function Fact({ label, wide = false, children }: { label: string; wide?: boolean; children: ReactNode }) {
  return (
    <div data-wide={wide || undefined}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function History({ detail: { item, decisions } }: { detail: ParkedDetail }) {
  const { t, format } = useWords();
  const settled = item.state === 'ended' && !decisions.some(({ at }) => at === item.ended_at);
  if (decisions.length === 0 && !settled) return null;
  return (
    <section>
      <h3 className={classes.section}>{t('parked.history')}</h3>
      <ol className={classes.history} data-testid="parked-history">
        {decisions.map((one) => (
          <li key={`${one.at}-${one.ruling}`}>
            <strong>{t(`parked.ruling.${one.ruling}`)}</strong>
            <span className={marks.faint}>
              {one.by?.name ?? t('parked.commandLine')} · {format.dateTime(one.at)}
            </span>
            {one.reason !== null && <q>{one.reason}</q>}
          </li>
        ))}
        {settled && <li>{t('parked.settled')}</li>}
      </ol>
    </section>
  );
}

function Raw({ detail: { item, body, content } }: { detail: ParkedDetail }) {
  const { t, format } = useWords();
  const title = t(content === null ? 'parked.raw' : 'parked.rawMessage');
  return (
    <section>
      <div className={classes.rawHead}>
        <h3 className={classes.section}>{title}</h3>
        <span className={marks.faint}>{format.bytes(item.size)}</span>
        <span style={{ flex: 1 }} />
        <CopyButton value={body.text}>
          {({ copied, copy }) => (
            <Tooltip label={t(copied ? 'action.copied' : 'parked.copyBody')}>
              <ActionIcon size="sm" variant="subtle" color="gray" onClick={copy} aria-label={t('parked.copyBody')}>
                {copied ? <Check size={14} aria-hidden /> : <Copy size={14} aria-hidden />}
              </ActionIcon>
            </Tooltip>
          )}
        </CopyButton>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section className={classes.raw} tabIndex={0} aria-label={title}>
        <pre data-testid="parked-body">{body.text}</pre>
      </section>
      {body.truncated && (
        <p className={marks.faint}>{t('parked.cut', { size: format.bytes(new Blob([body.text]).size) })}</p>
      )}
    </section>
  );
}
