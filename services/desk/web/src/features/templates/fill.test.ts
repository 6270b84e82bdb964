import { describe, expect, it } from 'vitest';
import type { Template } from '@/api/types';
import { filled, flawOf, isTooLong, LONGEST_BODY, linksOf, piecesOf, previewOf, titleOf } from './fill';

const template: Template = {
  id: 't1',
  name: 'pedido_pronto',
  language: 'pt_BR',
  category: 'utility',
  header: 'Pedido',
  body: 'Olá {{1}}, {{2}} chegou. Até logo, {{ 1 }}! {{3 {{x}}',
  footer: 'Loja',
  buttons: [
    { label: 'Ok', action: 'reply', target: null },
    { label: 'Site', action: 'link', target: 'https://loja.test/' },
    { label: 'Ver', action: 'link', target: 'https://loja.test/{{1}}' },
  ],
  places: 3,
  body_places: 2,
};

describe('a template', () => {
  it('SES-8 is filled as the service fills it', () => {
    expect(previewOf(template, ['Ana', 'o nº {{1}}', '9'])).toBe(
      'Pedido\n\nOlá Ana, o nº {{1}} chegou. Até logo, Ana! {{3 {{x}}\n\nLoja',
    );
    expect(previewOf({ ...template, header: null, footer: null, body: 'Oi' }, [])).toBe('Oi');
  });

  it('keeps its places in sight until they are filled', () => {
    expect(filled(template.body, ['', 'x'])).toContain('Olá {{1}}, x chegou');
    expect(piecesOf('a {{1}}', ['Ana'])).toEqual([
      { kind: 'words', text: 'a ' },
      { kind: 'place', place: 1, value: 'Ana' },
    ]);
  });

  it('takes values for links after those of the body', () => {
    expect(linksOf(template).map(({ label }) => label)).toEqual(['Ver']);
  });

  it('says what is wrong with a value', () => {
    expect([' ', 'a\nb', 'a     b', 'a    b', 'Ana'].map(flawOf)).toEqual(['blank', 'spaced', 'spaced', null, null]);
    expect(isTooLong({ ...template, body: '{{1}}' }, ['🎉'.repeat(LONGEST_BODY)])).toBe(false);
    expect(isTooLong({ ...template, body: '{{1}}' }, ['🎉'.repeat(LONGEST_BODY + 1)])).toBe(true);
  });

  it('has a title for people', () => {
    expect(titleOf(template)).toBe('Pedido pronto');
    expect(titleOf({ ...template, name: '' })).toBe('t1');
  });
});
