import type { Language } from '@/api/types';
import { usePreferences } from '@/store/preferences';
import type { Catalogue, Key } from './catalogue';
import { en } from './en';
import { errorWords } from './errors';
import { es } from './es';
import { Formats } from './format';
import { ptBR } from './pt-BR';

export type { Key } from './catalogue';

export const catalogues: Record<Language, Catalogue> = { 'pt-BR': ptBR, es, en };
export const LANGUAGES: readonly { id: Language; name: string; short: string }[] = [
  { id: 'pt-BR', name: 'Português', short: 'PT' },
  { id: 'es', name: 'Español', short: 'ES' },
  { id: 'en', name: 'English', short: 'EN' },
];

type Values = Record<string, string | number>;
/** Keys that come as a pair, `_one` and `_other`. */
export type PluralKey = Key extends infer K ? (K extends `${infer Base}_other` ? Base : never) : never;

export interface Words {
  language: Language;
  t: (key: Key, values?: Values) => string;
  /** The form for a number, by the language's own rules. */
  plural: (key: PluralKey, count: number) => string;
  /** Words for an error code; a code of a later release is shown as it is. */
  error: (code: string) => string;
  /** Words for a key that is made of data; `fallback` when the catalogue lacks it. */
  maybe: (key: string, fallback: string) => string;
  format: Formats;
}

function filled(text: string, values: Values | undefined): string {
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

function build(language: Language): Words {
  const catalogue = catalogues[language];
  const t = (key: Key, values?: Values) => filled(catalogue[key], values);
  const rules = new Intl.PluralRules(language);
  const format = new Formats(language, t);
  return {
    language,
    t,
    plural: (key, count) => {
      const form = rules.select(count) === 'one' ? 'one' : 'other';
      return t(`${key}_${form}` as Key, { count: format.number(count) });
    },
    error: (code) => errorWords[language][code] ?? `${t('toast.failed')} (${code})`,
    maybe: (key, fallback) => (key in catalogue ? catalogue[key as Key] : fallback),
    format,
  };
}

const built = new Map<Language, Words>();

/** The words of a language, outside of components. */
export function wordsIn(language: Language): Words {
  const known = built.get(language);
  if (known) return known;
  const words = build(language);
  built.set(language, words);
  return words;
}

/** The words of the language in use. */
export function useWords(): Words {
  return wordsIn(usePreferences((preferences) => preferences.language));
}
