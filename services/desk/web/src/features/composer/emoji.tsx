import { ActionIcon, Popover, Tooltip } from '@mantine/core';
import { Smile } from 'lucide-react';
import { type KeyboardEvent, useState } from 'react';
import { useWords } from '@/i18n';
import classes from './composer.module.css';
import { EMOJI, type EmojiGroup } from './emoji-data';

const KEY = 'afluente.emoji';
const COLUMNS = 8;

function recent(): string[] {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '[]') as unknown;
    return Array.isArray(kept) ? kept.filter((one): one is string => typeof one === 'string').slice(0, 16) : [];
  } catch {
    return [];
  }
}

function remember(emoji: string): void {
  try {
    localStorage.setItem(KEY, JSON.stringify([emoji, ...recent().filter((one) => one !== emoji)].slice(0, 16)));
  } catch {
    // Then the recent ones stay as they were.
  }
}

/** A grid that the arrow keys walk through. */
export function EmojiPicker({ pick, disabled }: { pick: (emoji: string) => void; disabled: boolean }) {
  const { t } = useWords();
  const [opened, setOpened] = useState(false);
  const choose = (emoji: string) => {
    remember(emoji);
    setOpened(false);
    pick(emoji);
  };
  return (
    <Popover
      opened={opened}
      onChange={setOpened}
      position="top-start"
      shadow="md"
      trapFocus
      withinPortal
      width={330}
      returnFocus
    >
      <Popover.Target>
        <Tooltip label={t('composer.emoji')}>
          <ActionIcon
            variant="subtle"
            color="gray"
            size={36}
            disabled={disabled}
            aria-label={t('composer.emoji')}
            aria-expanded={opened}
            onClick={() => setOpened((now) => !now)}
            data-testid="emoji"
          >
            <Smile size={20} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>{opened && <Grid choose={choose} />}</Popover.Dropdown>
    </Popover>
  );
}

function Grid({ choose }: { choose: (emoji: string) => void }) {
  const { t } = useWords();
  const last = recent();
  const groups: [EmojiGroup | 'recent', readonly string[]][] = [
    ...(last.length > 0 ? ([['recent', last]] as ['recent', string[]][]) : []),
    ...(Object.entries(EMOJI) as [EmojiGroup, readonly string[]][]),
  ];
  const walk = (event: KeyboardEvent<HTMLDivElement>) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const all = [...event.currentTarget.querySelectorAll<HTMLButtonElement>('button')];
    const here = all.indexOf(document.activeElement as HTMLButtonElement);
    all[Math.min(all.length - 1, Math.max(0, here + step))]?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys come from the buttons inside
    <div className={classes.emoji} onKeyDown={walk}>
      {groups.map(([group, list], groupIndex) => (
        <section key={group} aria-label={t(`emoji.${group}`)}>
          <h3>{t(`emoji.${group}`)}</h3>
          <div className={classes.emojiGrid}>
            {list.map((emoji, index) => (
              <button
                key={emoji}
                type="button"
                tabIndex={groupIndex === 0 && index === 0 ? 0 : -1}
                data-autofocus={(groupIndex === 0 && index === 0) || undefined}
                onClick={() => choose(emoji)}
              >
                {emoji}
              </button>
            ))}
          </div>
        </section>
      ))}
    </div>
  );
}
