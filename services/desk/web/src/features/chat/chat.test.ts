import { describe, expect, it } from 'vitest';
import type { Message } from '@/api/types';
import { contentsOf } from '../composer/attachments';
import { placed } from './grouping';
import { mapUrl } from './location';
import { pieces } from './rich-text';
import { tickOf } from './ticks';
import { windowState } from './window';

describe('ticks (CH-11)', () => {
  const all = { sent: true, delivered: true, read: true };
  it('show how far a message came', () => {
    expect(
      ['queued', 'accepted', 'sent', 'delivered', 'read', 'failed', 'parked'].map((state) =>
        tickOf(state as 'sent', all),
      ),
    ).toEqual(['queued', 'one', 'one', 'two', 'read', 'failed', 'parked']);
  });

  it('never show what the channel cannot tell', () => {
    const none = { sent: true, delivered: false, read: false };
    expect(tickOf('read', none)).toBe('one');
    expect(tickOf('delivered', none)).toBe('one');
    expect(tickOf('read', { ...none, delivered: true })).toBe('two');
  });
});

describe('window (SES-1)', () => {
  const hour = 3_600_000;
  it('is open, closes soon, or is closed', () => {
    const at = (closes_at: number | null) => windowState({ rule: 'timed', closes_at }, 10 * hour).kind;
    expect(at(20 * hour)).toBe('open');
    expect(at(11.5 * hour)).toBe('soon');
    expect(at(10 * hour)).toBe('closed');
    expect(at(null)).toBe('closed');
  });

  it('is none where the channel has none', () => {
    expect(windowState({ rule: 'none', closes_at: null }, 0).kind).toBe('none');
  });
});

describe('grouping', () => {
  const at = (minutes: number, direction: 'in' | 'out' = 'in') =>
    ({
      id: String(minutes),
      at: new Date(2026, 10, 20, 10, minutes).getTime(),
      direction,
      author: { type: 'contact', user: null },
    }) as Message;
  it('puts together what one author said in a row, and starts days', () => {
    const rows = placed([
      at(0),
      at(2),
      at(9),
      at(10, 'out'),
      { ...at(11), at: new Date(2026, 10, 21, 9, 0).getTime() },
    ]);
    expect(rows.map(({ first }) => first)).toEqual([true, false, true, true, true]);
    expect(rows.map(({ last }) => last)).toEqual([false, true, true, true, true]);
    expect(rows.map(({ day }) => day)).toEqual([true, false, false, false, true]);
  });
});

describe('links', () => {
  it('are http and https only, without the full stop after them', () => {
    const links = (text: string) =>
      pieces(text)
        .filter((piece) => piece.link)
        .map((piece) => piece.text);
    expect(links('veja https://a.example/x?y=1. E http://b.example')).toEqual([
      'https://a.example/x?y=1',
      'http://b.example',
    ]);
    expect(links('javascript:alert(1) ftp://x data:text/html,x')).toEqual([]);
  });

  it('lose nothing of the text', () => {
    const text = 'a https://b.example/c, d';
    expect(
      pieces(text)
        .map((piece) => piece.text)
        .join(''),
    ).toBe(text);
  });

  it('to a map carry the coordinates (CH-15)', () => {
    expect(mapUrl({ latitude: -23.5, longitude: -46.6 })).toContain('mlat=-23.5&mlon=-46.6');
  });
});

describe('attachments (CH-13)', () => {
  const stored = (kind: 'image' | 'audio') => ({ key: kind, kind, mime: `${kind}/x`, name: null, size: 1 });
  it('carry the text below the first that can', () => {
    const { media, text } = contentsOf([stored('audio'), stored('image'), stored('image')], 'veja');
    expect(media.map(({ caption }) => caption)).toEqual([null, 'veja', null]);
    expect(text).toBe('');
  });

  it('leave the text to a message of its own when none can', () => {
    expect(contentsOf([stored('audio')], 'veja')).toMatchObject({ text: 'veja' });
  });
});
