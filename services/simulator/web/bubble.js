// One message as the customer's phone shows it.

import { el, icon } from './dom.js';
import { current, say } from './words.js';

const TICKS = { sent: '✓', delivered: '✓✓', read: '✓✓', failed: '!' };

const time = (at) => new Date(at).toLocaleTimeString(current(), { hour: '2-digit', minute: '2-digit' });

const size = (bytes) => (bytes >= 1 << 20 ? `${(bytes / (1 << 20)).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1024))} kB`);

/** A line for lists and quotes. */
export function preview(says) {
  switch (says.kind) {
    case 'text': case 'buttons': case 'template': return says.text;
    case 'tap': return says.label;
    case 'media': return says.caption || says.name || say(says.media === 'document' ? 'file' : says.media === 'image' ? 'image' : 'audio');
    case 'location': return says.name || say('location');
    case 'contact': return says.name;
    default: return say('unsupported', says.name);
  }
}

/** The element; `quoted` is the message that it answers, if the phone has it. */
export function bubble(message, quoted, { onreply, ontap }) {
  const { says, mine, tick } = message;
  const foot = el('footer', {}, el('time', { datetime: new Date(message.at).toISOString() }, time(message.at)),
    mine && el(`span.tick.${tick}`, { role: 'img', 'aria-label': say(tick), title: say(tick) }, TICKS[tick]));
  const element = el(`article.bubble.${mine ? 'mine' : 'theirs'}.is-${says.kind}`, { data: { id: message.id } },
    quoted && el('blockquote', {}, el('b', {}, quoted.mine ? say('you') : ''), preview(quoted.says)),
    body(says), foot,
    !mine && el('button.quote', { type: 'button', 'aria-label': say('reply'), title: say('reply'), onclick: () => onreply(message) }, icon('reply', 16)));
  const row = el(`div.row.${mine ? 'right' : 'left'}`, {}, element);
  if (says.buttons?.length) {
    row.append(el('div.choices', {}, says.buttons.map(({ label, payload }) => el('button', {
      type: 'button', 'aria-pressed': message.tapped === label, disabled: Boolean(message.tapped), onclick: () => ontap(message, payload),
    }, label))));
  }
  return row;
}

function body(says) {
  switch (says.kind) {
    case 'text': case 'buttons': return el('p', {}, ...linked(says.text));
    case 'template': return el('div.template', {}, says.header && el('strong', {}, says.header), el('p', {}, ...linked(says.text)),
      says.footer && el('small', {}, says.footer), says.links.map((label) => el('span.link', {}, label)));
    case 'tap': return el('p', {}, says.label);
    case 'media': return media(says);
    case 'location': {
      const link = `https://www.openstreetmap.org/?mlat=${says.latitude}&mlon=${says.longitude}#map=16/${says.latitude}/${says.longitude}`;
      return el('div.place', {}, el('div.map', { 'aria-hidden': true }, icon('location', 30)),
        el('strong', {}, says.name ?? say('location')), says.address && el('small', {}, says.address),
        el('small', {}, `${says.latitude.toFixed(5)}, ${says.longitude.toFixed(5)}`),
        el('a', { href: link, target: '_blank', rel: 'noreferrer' }, say('openMap')));
    }
    case 'contact': return el('div.card', {}, el('span.face', { 'aria-hidden': true }, says.name.slice(0, 1)),
      el('div', {}, el('strong', {}, says.name), el('small', {}, says.phone)));
    default: return el('p.other', {}, say('unsupported', says.name));
  }
}

function media(says) {
  const { url, mime, name, caption } = says;
  const words = caption && el('p', {}, caption);
  switch (says.media) {
    case 'image': case 'sticker': return el('figure', {}, el('img', { src: url, alt: caption ?? name ?? say('image'), loading: 'lazy' }), words);
    case 'audio': return el('figure', {}, el('audio', { src: url, controls: true, preload: 'metadata' }), words);
    case 'video': return el('figure', {}, el('video', { src: url, controls: true, preload: 'metadata' }), words);
    default: return el('div', {}, el('a.document', { href: url, download: name ?? '', target: '_blank' },
      el('span.face', { 'aria-hidden': true }, icon('file')),
      el('div', {}, el('strong', {}, name ?? say('file')), el('small', {}, [mime, says.size && size(says.size)].filter(Boolean).join(' · ')))), words);
  }
}

function linked(text) {
  return text.split(/(https?:\/\/\S+)/).map((piece, n) => (n % 2 ? el('a', { href: piece, target: '_blank', rel: 'noreferrer' }, piece) : piece));
}
