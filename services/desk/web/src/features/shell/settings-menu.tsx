import { Menu, SegmentedControl, Switch, Tooltip, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { LogOut, Monitor, Moon, Sun } from 'lucide-react';
import { asApiError } from '@/api/problem';
import type { Language } from '@/api/types';
import { LANGUAGES, useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { prefer, usePreferences } from '@/store/preferences';
import { chooseLanguage, signOut } from '@/store/session';
import { Avatar } from '@/ui/avatar';
import { toastError } from '@/ui/toast';
import classes from './nav.module.css';

const SCHEMES = [
  { value: 'light', icon: Sun, key: 'nav.light' },
  { value: 'dark', icon: Moon, key: 'nav.dark' },
  { value: 'auto', icon: Monitor, key: 'nav.system' },
] as const;

export function setDeskLanguage(language: Language): void {
  chooseLanguage(language).catch((thrown: unknown) => toastError(asApiError(thrown)));
}

export function leaveDesk(): void {
  signOut().catch((thrown: unknown) => toastError(asApiError(thrown)));
}

/** The agent's name, and behind it language, appearance, sound and the way out. */
export function SettingsMenu({ rail }: { rail: boolean }) {
  const { t, language, maybe } = useWords();
  const user = useDesk((state) => state.me?.user);
  const sound = usePreferences((preferences) => preferences.sound);
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  if (!user) return null;
  return (
    <Menu position={rail ? 'right-end' : 'top-start'} width={264} shadow="md" withinPortal closeOnItemClick={false}>
      <Menu.Target>
        <Tooltip label={t('nav.settings')} position="right" disabled={!rail}>
          <UnstyledButton className={classes.item} style={{ minHeight: 44 }} data-testid="settings">
            <Avatar name={user.name} size={28} />
            {!rail && (
              <span className="clip">
                <span style={{ color: 'var(--text)' }}>{user.name}</span>
                <br />
                <span className={classes.load}>{maybe(`role.${user.role}`, user.role)}</span>
              </span>
            )}
            <span className="hidden">{`${rail ? user.name : ''}. ${t('nav.settings')}`}</span>
          </UnstyledButton>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t('nav.language')}</Menu.Label>
        <div style={{ padding: '0 8px 8px' }}>
          <SegmentedControl
            size="xs"
            fullWidth
            aria-label={t('nav.language')}
            value={language}
            onChange={(value) => setDeskLanguage(value as Language)}
            data={LANGUAGES.map(({ id, short, name }) => ({ value: id, label: <span title={name}>{short}</span> }))}
          />
        </div>
        <Menu.Label>{t('nav.scheme')}</Menu.Label>
        <div style={{ padding: '0 8px 8px' }}>
          <SegmentedControl
            size="xs"
            fullWidth
            aria-label={t('nav.scheme')}
            value={colorScheme}
            onChange={(value) => setColorScheme(value as 'light' | 'dark' | 'auto')}
            data={SCHEMES.map(({ value, icon: Icon, key }) => ({
              value,
              label: (
                <span style={{ display: 'inline-flex', gap: 5, alignItems: 'center' }}>
                  <Icon size={13} aria-hidden />
                  {t(key)}
                </span>
              ),
            }))}
          />
        </div>
        <div style={{ padding: '6px 12px 10px' }}>
          <Switch
            size="sm"
            label={t('nav.sound')}
            checked={sound}
            onChange={(event) => prefer({ sound: event.currentTarget.checked })}
            data-testid="sound"
          />
        </div>
        <Menu.Divider />
        <Menu.Item leftSection={<LogOut size={15} aria-hidden />} onClick={leaveDesk} data-testid="signout">
          {t('signin.out')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
