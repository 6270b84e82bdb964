import { create } from 'zustand';
import type { Language } from '@/api/types';

/** What this browser remembers of how its agent likes the desk. */
export interface Preferences {
  language: Language;
  sound: boolean;
  panel: boolean;
  /** Shortcuts of a single letter; some assistive tools type letters by themselves. */
  keys: boolean;
}

const KEY = 'afluente.preferences';

export function isLanguage(value: unknown): value is Language {
  return value === 'pt-BR' || value === 'es' || value === 'en';
}

/** The browser's first language that the desk speaks; Portuguese otherwise. */
export function preferredLanguage(languages: readonly string[]): Language {
  for (const tag of languages) {
    const primary = tag.toLowerCase().split('-')[0];
    if (primary === 'pt') return 'pt-BR';
    if (primary === 'es' || primary === 'en') return primary;
  }
  return 'pt-BR';
}

function read(): Preferences {
  const fallback: Preferences = {
    language: preferredLanguage(typeof navigator === 'undefined' ? [] : (navigator.languages ?? [])),
    sound: true,
    panel: true,
    keys: true,
  };
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Preferences>;
    return {
      language: isLanguage(kept.language) ? kept.language : fallback.language,
      sound: kept.sound ?? fallback.sound,
      panel: kept.panel ?? fallback.panel,
      keys: kept.keys ?? fallback.keys,
    };
  } catch {
    return fallback;
  }
}

export const usePreferences = create<Preferences>(() => read());

export function prefer(change: Partial<Preferences>): void {
  usePreferences.setState(change);
  try {
    localStorage.setItem(KEY, JSON.stringify(usePreferences.getState()));
  } catch {
    // A browser that keeps nothing still works for this visit.
  }
}
