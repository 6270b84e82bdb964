import { Drawer } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useEffect } from 'react';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { usePreferences } from '@/store/preferences';
import { useRoute } from '@/store/route';
import { conversationOf, supervises } from '@/store/select';
import { useUi } from '@/store/ui';
import { ChatPane } from '../chat/chat-pane';
import { ConcludeDialog } from '../chat/conclude-dialog';
import { TransferDialog } from '../chat/transfer-dialog';
import { ContactPanel } from '../contact/contact-panel';
import { useParkedBoard } from '../parked/board';
import { ParkedView } from '../parked/parked-view';
import { ListColumn } from '../queue/list-column';
import { TemplatePicker } from '../templates/picker';
import { Commands } from './commands';
import { ConnectionBanner } from './connection';
import classes from './desk.module.css';
import { useDeskKeys } from './desk-keys';
import { Nav } from './nav';
import { ShortcutsDialog } from './shortcuts-dialog';
import { useSignals } from './signals';

export const NARROW = '(max-width: 760px)';
export const MIDDLE = '(max-width: 1279px)';

/** The desk: navigation, list, conversation, contact; as many side by side as fit. */
export function Desk() {
  const { t } = useWords();
  const { place, conversation: id, view, parked } = useRoute();
  const isSupervising = useDesk(supervises);
  const isParked = place === 'parked' && isSupervising;
  const conversation = useDesk((state) => conversationOf(state, id));
  const narrow = useMediaQuery(NARROW, false, { getInitialValueInEffect: false });
  const middle = useMediaQuery(MIDDLE, false, { getInitialValueInEffect: false });
  const panel = usePreferences((preferences) => preferences.panel);
  const { nav, drawer, announcement } = useUi();
  useDeskKeys();
  useSignals();
  useParkedBoard(isSupervising, isParked ? parked : null);
  useEffect(() => {
    if (id === null) useUi.setState({ drawer: false });
  }, [id]);

  const table = id === null && view === 'waiting' && !narrow;
  const listShown = !narrow || id === null;
  const chatShown = id !== null || (!narrow && !table);
  return (
    <div className={classes.desk}>
      <button type="button" className="skip" onClick={() => document.getElementById('main')?.focus()}>
        {t('app.skip')}
      </button>
      <ConnectionBanner />
      <div className={classes.columns}>
        {!narrow && <Nav rail={middle} />}
        {isParked && <ParkedView menu={narrow} />}
        {!isParked && listShown && <ListColumn wide={table} menu={narrow} />}
        {!isParked && chatShown && <ChatPane id={id} narrow={narrow} overlaid={middle} />}
        {conversation && panel && !middle && <ContactPanel conversation={conversation} />}
      </div>
      <Drawer
        opened={narrow && nav}
        onClose={() => useUi.setState({ nav: false })}
        size={284}
        withCloseButton={false}
        padding={0}
        styles={{ body: { height: '100%' } }}
        attributes={{ content: { 'aria-label': t('nav.label') } }}
      >
        <Nav rail={false} drawer />
      </Drawer>
      <Drawer
        opened={middle && drawer && conversation !== null}
        onClose={() => useUi.setState({ drawer: false })}
        position="right"
        size={narrow ? '100%' : 340}
        title={t('contact.title')}
        closeButtonProps={{ 'aria-label': t('action.close') }}
        padding={0}
        styles={{ header: { padding: '10px 16px' } }}
      >
        {conversation && <ContactPanel conversation={conversation} plain />}
      </Drawer>
      {conversation && <TransferDialog conversation={conversation} />}
      {conversation && <ConcludeDialog conversation={conversation} />}
      {conversation && <TemplatePicker conversation={conversation} />}
      <ShortcutsDialog />
      <Commands conversation={conversation} />
      <div className="hidden" aria-live="polite" data-testid="announcement">
        {announcement}
      </div>
    </div>
  );
}
