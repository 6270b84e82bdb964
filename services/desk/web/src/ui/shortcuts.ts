import { useEffect, useRef } from 'react';
import { usePreferences } from '@/store/preferences';

export type Shortcuts = Record<string, (event: KeyboardEvent) => void>;

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

/** A dialog, popover or menu is open: the keys are its own. */
function covered(): boolean {
  return document.querySelector('[role="dialog"], [aria-modal="true"], [role="menu"]') !== null;
}

/** `Ctrl+K`, `j`, `?`: how a key is named. Cmd counts as Ctrl. */
export function keyName(event: KeyboardEvent): string {
  const control = event.ctrlKey || event.metaKey ? 'Ctrl+' : '';
  return control + (event.altKey ? 'Alt+' : '') + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
}

/** Keys of the page. Plain letters do nothing while somebody types or a dialog is open. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const current = useRef(shortcuts);
  current.current = shortcuts;
  useEffect(() => {
    // Asked before anybody else hears of the key: the Escape that closes a popover must not leave the conversation too.
    let taken = false;
    const look = () => {
      taken = covered();
    };
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      const name = keyName(event);
      const work = current.current[name];
      if (!work) return;
      if (name.length === 1 && !usePreferences.getState().keys) return;
      const free = name.startsWith('Ctrl+') || (name === 'Escape' ? true : !typing(event.target));
      if (!free || taken) return;
      work(event);
    };
    document.addEventListener('keydown', look, true);
    document.addEventListener('keydown', press);
    return () => {
      document.removeEventListener('keydown', look, true);
      document.removeEventListener('keydown', press);
    };
  }, []);
}
