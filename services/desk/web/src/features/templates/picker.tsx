import { Button, Loader, Modal } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { ArrowLeft, LayoutTemplate, RotateCcw } from 'lucide-react';
import { useCallback, useEffect, useState } from 'react';
import { listTemplates } from '@/api/calls';
import { asApiError } from '@/api/problem';
import type { Conversation, Template, TemplateList } from '@/api/types';
import { useWords } from '@/i18n';
import { send } from '@/store/outbox';
import { show, useUi } from '@/store/ui';
import { Empty } from '@/ui/empty';
import { startReply, useReply } from '../composer/reply';
import { previewOf } from './fill';
import { Filling } from './filling';
import { TemplatesList } from './list';
import classes from './templates.module.css';

/** Below this the list and the template take turns. */
const NARROW = '(max-width: 760px)';

/** What may be sent where free text may not: the provider's approved templates (SES-1, SES-8). */
export function TemplatePicker({ conversation }: { conversation: Conversation }) {
  const { t } = useWords();
  const opened = useUi((ui) => ui.dialog === 'templates');
  const narrow = useMediaQuery(NARROW, false, { getInitialValueInEffect: false });
  return (
    <Modal
      opened={opened}
      onClose={() => show(null)}
      title={t('template.title')}
      size={880}
      fullScreen={narrow}
      padding={0}
      classNames={{ header: classes.header, body: classes.body, content: classes.content }}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <Picker conversation={conversation} narrow={narrow} />
    </Modal>
  );
}

type Loaded = { state: 'loading' } | { state: 'failed'; code: string } | { state: 'ready'; list: TemplateList };

function useTemplates(conversation: string) {
  const [loaded, setLoaded] = useState<Loaded>({ state: 'loading' });
  const load = useCallback(() => {
    const stop = new AbortController();
    setLoaded({ state: 'loading' });
    listTemplates(conversation, stop.signal)
      .then((list) => setLoaded({ state: 'ready', list }))
      .catch((thrown: unknown) => {
        if (!stop.signal.aborted) setLoaded({ state: 'failed', code: asApiError(thrown).code });
      });
    return () => stop.abort();
  }, [conversation]);
  useEffect(() => load(), [load]);
  return { loaded, load };
}

function Picker({ conversation, narrow }: { conversation: Conversation; narrow: boolean }) {
  const { t, error, format } = useWords();
  const { loaded, load } = useTemplates(conversation.id);
  const refused = useUi((ui) => ui.refused);
  const [picked, setPicked] = useState<Template | null>(null);
  // How often a template was chosen, not only looked at: each time its first value gets the focus.
  const [chosen, setChosen] = useState(0);
  const pick = useCallback((template: Template | null) => {
    setPicked(template);
    setChosen(0);
  }, []);

  if (loaded.state === 'loading') {
    return (
      <div className={classes.centre}>
        <Loader type="dots" aria-label={t('app.loading')} />
      </div>
    );
  }
  if (loaded.state === 'failed') {
    return (
      <div className={classes.centre}>
        <Empty icon={LayoutTemplate} title={t('template.failed')}>
          <p>{error(loaded.code)}</p>
          <Button variant="light" leftSection={<RotateCcw size={15} aria-hidden />} onClick={() => load()}>
            {t('action.retry')}
          </Button>
        </Empty>
      </div>
    );
  }
  const { items, read_at, failed } = loaded.list;
  if (items.length === 0) {
    return (
      <div className={classes.centre} data-testid="template-none">
        <Empty icon={LayoutTemplate} title={t('template.none')}>
          <p>{failed ? error(failed) : t(read_at === null ? 'template.never' : 'template.noneHint')}</p>
        </Empty>
      </div>
    );
  }
  const deliver = (template: Template, params: string[]) => {
    const preview = previewOf(template, params);
    const replyTo = useReply.getState()[conversation.id] ?? null;
    send(conversation.id, { type: 'template', id: template.id, language: template.language, params, preview }, replyTo);
    startReply(conversation.id, null);
    show(null);
  };
  const filling = chosen > 0;
  const listed = !narrow || !filling;
  return (
    <div data-testid="template-picker">
      {refused && (
        <p className={classes.notice} role="status" data-testid="template-refused">
          {t('template.refused')}
        </p>
      )}
      <div className={classes.columns}>
        {listed && (
          <div className={classes.side}>
            <TemplatesList
              items={items}
              picked={picked}
              pick={pick}
              choose={(template) => {
                setPicked(template);
                setChosen((times) => times + 1);
              }}
            />
            {failed !== null && read_at !== null && (
              <p className={classes.stale} data-testid="template-stale">
                {t('template.stale', { time: format.dateTime(read_at) })} {error(failed)}
              </p>
            )}
          </div>
        )}
        {narrow && filling && (
          <button type="button" className={classes.back} onClick={() => setChosen(0)}>
            <ArrowLeft size={16} aria-hidden /> {t('template.back')}
          </button>
        )}
        {(!narrow || filling) &&
          (picked ? (
            <Filling
              key={picked.id}
              template={picked}
              conversation={conversation}
              chosen={chosen}
              deliver={(params) => deliver(picked, params)}
            />
          ) : (
            <div className={`${classes.filling} ${classes.centre}`}>
              <Empty icon={LayoutTemplate} title={t('template.pick')} />
            </div>
          ))}
      </div>
    </div>
  );
}
