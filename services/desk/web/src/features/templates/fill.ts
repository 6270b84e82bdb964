import type { Template } from '@/api/types';

/** The longest body with its values, in characters: the service refuses more. */
export const LONGEST_BODY = 1024;

/** A piece of a template's text: words, or a place with its value. */
export type Piece = { kind: 'words'; text: string } | { kind: 'place'; place: number; value: string };

/** A template's text in pieces, as the service fills it: `{{2}}` is the second value, and values are not filled again. */
export function piecesOf(text: string, values: readonly string[]): Piece[] {
  return text.split(/(\{\{[^{}]*\}\})/).flatMap((piece, index): Piece[] => {
    const place = index % 2 === 1 ? Number(piece.slice(2, -2).trim()) : Number.NaN;
    if (Number.isInteger(place) && place >= 1) return [{ kind: 'place', place, value: values[place - 1] ?? '' }];
    return piece === '' ? [] : [{ kind: 'words', text: piece }];
  });
}

/** The text with its values; a place without one stays as it stands. */
export function filled(text: string, values: readonly string[]): string {
  return piecesOf(text, values)
    .map((piece) => (piece.kind === 'words' ? piece.text : piece.value || `{{${piece.place}}}`))
    .join('');
}

/** What the contact will read, as the service writes it down. */
export function previewOf(template: Template, values: readonly string[]): string {
  return [template.header, filled(template.body, values), template.footer]
    .filter((part) => part !== null && part !== '')
    .join('\n\n');
}

/** The links that take a value, in the order of their values. */
export function linksOf(template: Template) {
  return template.buttons.filter(({ action, target }) => action === 'link' && /\{\{[^{}]*\}\}/.test(target ?? ''));
}

export type Flaw = 'blank' | 'spaced';

export function flawOf(value: string): Flaw | null {
  if (value.trim() === '') return 'blank';
  return /[\n\r\t]| {5}/.test(value) ? 'spaced' : null;
}

export function isTooLong(template: Template, values: readonly string[]): boolean {
  return [...filled(template.body, values)].length > LONGEST_BODY;
}

/** A name that people can read: `pedido_pronto` is “Pedido pronto”. */
export function titleOf(template: Template): string {
  const words = template.name.replaceAll(/[_-]+/g, ' ').trim();
  return words === '' ? template.id : words.charAt(0).toLocaleUpperCase() + words.slice(1);
}
