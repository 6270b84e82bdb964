import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Language } from '@/api/types';
import { errorWords } from './errors';
import { catalogues, wordsIn } from './index';

const languages = Object.keys(catalogues) as Language[];
const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

/** The codes of the Rust side, read from its source: the two may not drift apart. */
function rustCodes(): string[] {
  const file = fileURLToPath(new URL('../../../../../crates/domain/src/error.rs', import.meta.url));
  expect(existsSync(file), file).toBe(true);
  const block = /\ncodes! \{([\s\S]*?)\n\}/.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
  return [...block.matchAll(/^\s+[A-Z_]+ = "([a-z_]+)";/gm)].map((match) => match[1] as string);
}

describe('catalogues', () => {
  it('have the same keys in every language, none empty', () => {
    const keys = Object.keys(catalogues.en).sort();
    for (const language of languages) {
      expect(Object.keys(catalogues[language]).sort(), language).toEqual(keys);
      for (const [key, text] of Object.entries(catalogues[language]))
        expect(text.trim(), `${language} ${key}`).not.toBe('');
    }
  });

  it('fill in the same names in every language', () => {
    for (const language of languages) {
      for (const [key, text] of Object.entries(catalogues.en)) {
        expect(names(catalogues[language][key as keyof typeof catalogues.en]), `${language} ${key}`).toEqual(
          names(text),
        );
      }
    }
  });
});

describe('errors', () => {
  it('have words for every code of the domain, in every language', () => {
    const codes = rustCodes();
    expect(codes.length).toBeGreaterThan(25);
    for (const language of languages) {
      const missing = codes.filter((code) => !errorWords[language][code]);
      expect(missing, language).toEqual([]);
    }
  });

  it('have words for the same codes in every language', () => {
    const codes = Object.keys(errorWords.en).sort();
    for (const language of languages) expect(Object.keys(errorWords[language]).sort(), language).toEqual(codes);
  });

  it('show a code of a later release as it is', () => {
    expect(wordsIn('en').error('brand_new')).toContain('brand_new');
  });
});

describe('words', () => {
  it('choose the plural by the language', () => {
    expect(wordsIn('pt-BR').plural('view.count', 1)).toBe('1 conversa');
    expect(wordsIn('pt-BR').plural('view.count', 1200)).toBe('1.200 conversas');
    expect(wordsIn('en').plural('view.count', 0)).toBe('0 conversations');
  });

  it('say durations and sizes briefly', () => {
    const { format } = wordsIn('pt-BR');
    expect(format.duration(26 * 3_600_000)).toBe('1 d 2 h');
    expect(format.duration(75 * 60_000)).toBe('1 h 15 min');
    expect(format.duration(12_000, true)).toBe('12 s');
    expect(format.duration(12_000)).toBe('agora');
    expect(format.bytes(184_320)).toContain('184');
    for (const language of languages) expect(wordsIn(language).format.bytes(266), language).toBe('266 bytes');
    expect(format.playTime(65.4)).toBe('1:05');
    expect(format.coordinate(-23.5614)).toBe('-23.561400');
  });
});
