// Where the customer writes: text, files, a place, a card, or something that the company cannot read.

import { el, icon } from './dom.js';
import { say, translate } from './words.js';

const ACCEPT = { image: 'image/*', audio: 'audio/*', file: '' };
const PLACES = [['Praça da Sé, São Paulo', -23.55052, -46.63331], ['Obelisco, Buenos Aires', -34.60373, -58.38157], ['Plaza de Armas, Lima', -12.04597, -77.03055]];

export class Composer {
  constructor(write, upload) {
    this.write = write;
    this.upload = upload;
    this.text = el('textarea', { rows: '1', data: { hint: 'placeholder', label: 'placeholder' },
      oninput: () => this.grow(),
      onkeydown: (event) => { if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.send(); } } });
    this.menu = el('div.menu', { hidden: true, role: 'menu' }, ['image', 'file', 'audio', 'location', 'contact', 'unknown'].map((kind) => el('button', {
      type: 'button', role: 'menuitem', data: { kind }, onclick: () => { this.menu.hidden = true; this.attach(kind); },
    }, icon(kind), el('span', { data: { word: kind } }))));
    this.quoted = el('div.quoted', { hidden: true });
    this.trouble = el('p.trouble', { hidden: true, role: 'alert' });
    this.dialog = el('dialog');
    this.element = el('form.composer', { onsubmit: (event) => { event.preventDefault(); this.send(); } },
      this.menu, this.trouble, this.quoted,
      el('button.ghost.plus', { type: 'button', data: { label: 'attach' }, 'aria-haspopup': 'menu', onclick: () => { this.menu.hidden = !this.menu.hidden; } }, icon('plus')),
      this.text, el('button.send', { type: 'submit', data: { label: 'send' } }, icon('send')), this.dialog);
    this.element.addEventListener('keydown', (event) => { if (event.key === 'Escape') { this.menu.hidden = true; this.quote(null); } });
  }

  grow() {
    this.text.style.height = 'auto';
    this.text.style.height = `${Math.min(this.text.scrollHeight, 110)}px`;
  }

  quote(message, words) {
    this.answers = message;
    this.quoted.hidden = !message;
    if (message) this.quoted.replaceChildren(el('span', {}, words), el('button.ghost', { type: 'button', 'aria-label': say('cancel'), onclick: () => this.quote(null) }, icon('close', 16)));
    this.text.focus();
  }

  send() {
    const text = this.text.value.trim();
    if (!text) return;
    this.write({ type: 'text', text, reply_to: this.answers?.provider_id ?? null });
    this.text.value = '';
    this.quote(null);
    this.grow();
  }

  complain(error) {
    this.trouble.textContent = error.message;
    this.trouble.hidden = false;
    setTimeout(() => { this.trouble.hidden = true; }, 6_000);
  }

  attach(kind) {
    if (kind in ACCEPT) {
      const input = el('input', { type: 'file', accept: ACCEPT[kind], multiple: true, onchange: async () => {
        for (const file of input.files) await this.upload(file, kind === 'file' ? 'document' : kind);
      } });
      input.click();
      return;
    }
    const fields = {
      location: [['place', PLACES[0][0]], ['latitude', PLACES[0][1]], ['longitude', PLACES[0][2]]],
      contact: [['name', 'Carla Nunes'], ['phone', '+5511955550002']],
      unknown: [['kind', 'order']],
    }[kind];
    const inputs = fields.map(([word, value]) => el('input', { name: word, value: String(value), required: true }));
    const send = () => {
      const value = Object.fromEntries(inputs.map((input) => [input.name, input.value]));
      this.write({
        location: { type: 'location', latitude: Number(value.latitude), longitude: Number(value.longitude), name: value.place, address: null },
        contact: { type: 'contact', name: value.name, phone: value.phone },
        unknown: { type: 'unknown', kind: value.kind },
      }[kind]);
      this.dialog.close();
    };
    const presets = kind === 'location' && el('div.presets', {}, PLACES.map((place) => el('button.ghost', {
      type: 'button', onclick: () => inputs.forEach((input, n) => { input.value = place[n]; }),
    }, place[0])));
    this.dialog.replaceChildren(el('h2', {}, say(kind)), ...inputs.map((input) => el('label', {}, say(input.name), input)), presets || '',
      el('div.actions', {}, el('button.ghost', { type: 'button', onclick: () => this.dialog.close() }, say('cancel')),
        el('button', { type: 'button', onclick: send }, say('send'))));
    this.dialog.showModal();
  }

  speak() {
    translate(this.element);
  }
}
