// The drawer that makes the providers misbehave, and shows what they were called with.

import * as api from './api.js';
import { el, icon } from './dom.js';
import { current, say } from './words.js';

// Each fault with what goes with it.
const GROUPS = [['throttle_next', 'retry_after'], ['error_next', 'error_status'], ['reject_next', 'reject_reason'], ['hang_next', 'hang_ms'], ['late_next', 'late_ms']];
const GUPSHUP = [['fail_next', 'fail_code', 'fail_reason'], ['receipts', 'receipts_late_ms']];
const SWITCHES = ['webhooks_doubled', 'media_expired', 'token_revoked'];
const RECEIPTS = ['normal', 'doubled', 'late', 'reordered', 'missing'];
const NAMES = { gupshup: 'WhatsApp', telegram: 'Telegram' };

export class Drawer {
  constructor(element, opener) {
    this.element = element;
    this.opener = opener;
    this.provider = 'gupshup';
    this.count = opener.querySelector('.count');
    opener.addEventListener('click', () => this.show(!element.classList.contains('open')));
    document.addEventListener('keydown', (event) => { if (event.key === 'Escape') this.show(false); });
    setInterval(() => this.refresh(), 2_000);
    this.refresh();
  }

  async show(open) {
    this.element.classList.toggle('open', open);
    this.element.inert = !open;
    this.element.setAttribute('aria-hidden', !open);
    if (open) {
      this.values = await api.faults();
      this.draw();
    }
  }

  async refresh() {
    const values = await api.faults().catch(() => this.values);
    if (!values) return;
    this.values = values;
    const on = Object.values(values).flatMap(Object.entries)
      .filter(([name, value]) => value === true || (name.endsWith('_next') && value > 0) || (name === 'receipts' && value !== 'normal')).length;
    this.count.hidden = !on;
    this.count.textContent = on;
    if (!this.element.classList.contains('open')) return;
    for (const input of this.element.querySelectorAll('input[data-fault$="_next"]')) {
      if (input !== document.activeElement) input.value = values[this.provider][input.dataset.fault];
    }
    this.drawLog(await api.log(this.provider).catch(() => ({ calls: [] })));
  }

  async set(name, value) {
    this.values[this.provider][name] = value;
    this.values = await api.setFaults({ [this.provider]: this.values[this.provider] });
    this.refresh();
  }

  field(name) {
    const value = this.values[this.provider][name];
    const label = el('span', {}, say(`f_${name}`));
    if (name === 'receipts') {
      const options = RECEIPTS.map((one) => el('option', { value: one, selected: one === value }, say(`r_${one}`)));
      return el('label', {}, label, el('select', { onchange: (event) => this.set(name, event.target.value) }, options));
    }
    const number = typeof value === 'number';
    return el('label', {}, label, el('input', {
      type: number ? 'number' : 'text', min: number ? '0' : undefined, value: String(value), data: { fault: name },
      onchange: (event) => this.set(name, number ? Math.max(0, Math.trunc(Number(event.target.value) || 0)) : event.target.value),
    }));
  }

  draw() {
    if (!this.values) return;
    const groups = this.provider === 'gupshup' ? [...GROUPS, ...GUPSHUP] : GROUPS;
    this.log = el('ol.log');
    this.element.replaceChildren(
      el('header', {}, el('h2', {}, say('faultsTitle')), el('button.ghost', { type: 'button', 'aria-label': say('close'), onclick: () => this.show(false) }, icon('close'))),
      el('nav.segments', {}, Object.entries(NAMES).map(([provider, name]) => el('button', {
        type: 'button', 'aria-pressed': String(provider === this.provider), onclick: () => { this.provider = provider; this.draw(); this.refresh(); },
      }, name))),
      el('p.hint', {}, say('faultsHint')),
      ...groups.map((names) => el('fieldset', {}, names.map((name) => this.field(name)))),
      el('fieldset.switches', {}, SWITCHES.map((name) => el('label.switch', {},
        el('input', { type: 'checkbox', role: 'switch', checked: this.values[this.provider][name], onchange: (event) => this.set(name, event.target.checked) }),
        el('span', {}, say(`f_${name}`))))),
      el('button.off', { type: 'button', onclick: async () => { this.values = await api.setFaults({ [this.provider]: {} }); this.draw(); this.refresh(); } }, say('allOff')),
      el('h3', {}, say('calls')), this.log);
  }

  drawLog({ calls }) {
    const time = (at) => new Date(at).toLocaleTimeString(current());
    this.log?.replaceChildren(...(calls.length ? calls.slice(-30).reverse().map((call) => el('li', {},
      el(`b.status.s${Math.trunc((call.status ?? 0) / 100)}`, {}, call.status ?? '…'), el('code', {}, call.path), el('time', {}, time(call.at)))) : [el('li', {}, say('noCalls'))]));
  }

  speak() {
    this.draw();
  }
}
