import { Modal, Switch } from '@mantine/core';
import { type Key, useWords } from '@/i18n';
import { prefer, usePreferences } from '@/store/preferences';
import { show, useUi } from '@/store/ui';
import { Keys } from '@/ui/keys';
import classes from './desk.module.css';

const GROUPS: { title: Key; rows: [Key, string[]][] }[] = [
  {
    title: 'shortcuts.list',
    rows: [
      ['shortcuts.move', ['j', 'k', '↓', '↑']],
      ['shortcuts.open', ['Enter']],
      ['shortcuts.views', ['1', '2', '3']],
      ['parked.shortcut', ['4']],
      ['shortcuts.search', ['/']],
    ],
  },
  {
    title: 'shortcuts.chat',
    rows: [
      ['shortcuts.take', ['t']],
      ['shortcuts.reply', ['r']],
      ['shortcuts.send', ['Enter', 'Ctrl+Enter']],
      ['shortcuts.newline', ['Shift+Enter']],
      ['shortcuts.templates', ['m']],
      ['shortcuts.transfer', ['x']],
      ['shortcuts.conclude', ['e']],
      ['shortcuts.details', ['i']],
    ],
  },
  {
    title: 'shortcuts.page',
    rows: [
      ['shortcuts.commands', ['Ctrl+K']],
      ['shortcuts.leave', ['Esc']],
      ['shortcuts.help', ['?']],
    ],
  },
];

export function ShortcutsDialog() {
  const { t } = useWords();
  const opened = useUi((ui) => ui.dialog === 'shortcuts');
  const keys = usePreferences((preferences) => preferences.keys);
  return (
    <Modal
      opened={opened}
      onClose={() => show(null)}
      title={t('shortcuts.title')}
      size="lg"
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <div className={classes.shortcuts} data-testid="shortcuts">
        {GROUPS.map((group) => (
          <section key={group.title}>
            <h3>{t(group.title)}</h3>
            <dl>
              {group.rows.map(([words, combinations]) => (
                <div key={words}>
                  <dt>{t(words)}</dt>
                  <dd>
                    {combinations.map((combination) => (
                      <Keys key={combination} of={combination} />
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <Switch
        mt="xl"
        label={t('shortcuts.keys')}
        checked={keys}
        onChange={(event) => prefer({ keys: event.currentTarget.checked })}
      />
    </Modal>
  );
}
