// A phone: who holds it, its list of chats, the open chat.

import * as api from './api.js';
import { bubble, preview } from './bubble.js';
import { Composer } from './composer.js';
import { el, icon } from './dom.js';
import { say, translate } from './words.js';

const initials = (name) => name.split(/\s+/).slice(0, 2).map((word) => word[0] ?? '').join('').toUpperCase();

export class Phone {
  constructor(channel, accounts, customers) {
    this.channel = channel;
    this.accounts = accounts;
    this.customers = customers;
    this.customer = customers.find((one) => one.address === localStorage.getItem(`customer.${channel}`)) ?? customers[0];
    this.account = accounts[0];
    this.messages = new Map();
    this.build();
  }

  /** The customer and the account whose chat is open. */
  get who() {
    return { channel: this.channel, address: this.customer.address, account: this.account.name };
  }

  build() {
    this.choice = el('select', { data: { label: 'customer' }, onchange: () => this.hand(this.choice.value) });
    this.reading = el('input', { type: 'checkbox', role: 'switch', checked: true, onchange: () => this.set({ reading: this.reading.checked }) });
    this.blocked = el('input', { type: 'checkbox', role: 'switch', onchange: () => this.set({ blocked: this.blocked.checked }) });
    this.face = el('span.face', { 'aria-hidden': true });
    this.form = this.newCustomer();
    const holder = el('div.holder', {}, this.face, this.choice,
      el('button.ghost', { type: 'button', data: { label: 'newCustomer' }, onclick: () => { this.form.hidden = !this.form.hidden; } }, icon('plus', 18)),
      // Telegram tells a bot nothing about reading.
      this.channel === 'whatsapp' && el('label.switch', {}, this.reading, el('span', { data: { word: 'reading' } })),
      el('label.switch', {}, this.blocked, el('span', { data: { word: 'blocked' } })));
    this.list = el('div.list');
    this.scroll = el('div.messages', { role: 'log', 'aria-live': 'polite', tabindex: '0' });
    // A picture that comes late must not hide the last message.
    this.scroll.addEventListener('load', () => this.bottom(), true);
    this.lost = el('p.lost', { hidden: true, data: { word: 'lost' }, role: 'status' });
    this.title = el('strong');
    this.composer = new Composer((deed) => this.write(deed), (file, kind) => api.upload(this.who, file, kind).catch((error) => this.composer.complain(error)));
    this.chat = el('div.chat', {},
      el('header', {},
        el('button.ghost.back', { type: 'button', data: { label: 'back' }, onclick: () => this.open(false) }, icon('back')),
        el('span.face.company', { 'aria-hidden': true }, this.account ? initials(this.account.label) : ''),
        el('div.who', {}, this.title, el('small', { data: { word: this.channel === 'whatsapp' ? 'business' : 'bot' } })),
        el('button.ghost', { type: 'button', data: { label: 'markRead' }, onclick: () => api.markRead(this.who) }, icon('eye'))),
      this.lost, this.scroll, this.composer.element);
    this.clock = el('time');
    this.screen = el('div.screen', {}, el('div.bar', { 'aria-hidden': true }, this.clock, el('i')),
      this.accounts.length ? [this.list, this.chat] : el('p.none', { data: { word: 'none' } }));
    this.element = el(`section.phone.${this.channel}`, { 'aria-label': this.channel === 'whatsapp' ? 'WhatsApp' : 'Telegram' },
      holder, this.form, el('div.device', {}, this.screen));
    this.element.dataset.channel = this.channel;
    const tick = () => { this.clock.textContent = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }); };
    tick();
    setInterval(tick, 10_000);
  }

  newCustomer() {
    const name = el('input', { required: true, maxlength: '60', data: { hint: 'name', label: 'name' } });
    const number = el('input', { required: true, inputmode: 'numeric', pattern: this.channel === 'whatsapp' ? '[1-9][0-9]{7,14}' : '[1-9][0-9]{0,17}',
      data: { hint: this.channel === 'whatsapp' ? 'number' : 'chatId', label: 'badNumber' } });
    return el('form.new', { hidden: true, onsubmit: (event) => {
      event.preventDefault();
      const customer = { name: name.value.trim(), address: number.value };
      this.customers = [...this.customers.filter((one) => one.address !== customer.address), customer];
      event.target.reset();
      event.target.hidden = true;
      this.hand(customer.address);
    } }, name, number, el('button', { type: 'submit', data: { word: 'create' } }));
  }

  start() {
    if (this.account) this.hand(this.customer.address);
  }

  /** Gives the phone to a customer. */
  async hand(address) {
    this.customer = this.customers.find((one) => one.address === address);
    localStorage.setItem(`customer.${this.channel}`, address);
    localStorage.setItem(`customers.${this.channel}`, JSON.stringify(this.customers));
    this.stop?.();
    this.messages.clear();
    await api.settings(this.who, { name: this.customer.name });
    this.stop = api.watch(this.who, {
      chat: (chat) => this.take(chat),
      message: (message) => this.put(message),
      changed: (message) => this.put(message),
      lost: (lost) => { this.lost.hidden = !lost; },
    });
    this.open(true);
    this.speak();
  }

  take(chat) {
    this.reading.checked = chat.reading;
    this.blocked.checked = chat.blocked;
    this.messages = new Map(chat.bubbles.map((message) => [message.id, message]));
    this.draw();
  }

  put(message) {
    const old = this.messages.has(message.id);
    this.messages.set(message.id, message);
    const row = this.row(message);
    const before = this.scroll.querySelector(`[data-id="${message.id}"]`)?.closest('.row');
    this.scroll.querySelector('.empty')?.remove();
    if (before) before.replaceWith(row);
    else this.scroll.append(row);
    if (!old) this.bottom();
    this.drawList();
  }

  row(message) {
    const quoted = message.reply_to && [...this.messages.values()].find((one) => one.provider_id === message.reply_to);
    return bubble(message, quoted, {
      onreply: (to) => this.composer.quote(to, preview(to.says)),
      ontap: (on, payload) => this.write({ type: 'tap', message: on.id, payload }),
    });
  }

  draw() {
    this.scroll.replaceChildren(el('span.day', {}, say('today')), ...[...this.messages.values()].map((message) => this.row(message)));
    if (!this.messages.size) this.scroll.append(el('p.empty', {}, say('noMessages')));
    this.bottom();
    this.drawList();
  }

  drawList() {
    const last = [...this.messages.values()].at(-1);
    this.list.replaceChildren(el('header', {}, el('strong', {}, say('chats'))), ...this.accounts.map((account) => el('button', {
      type: 'button', onclick: () => { this.account = account; this.hand(this.customer.address); },
    }, el('span.face.company', {}, initials(account.label)),
    el('span.line', {}, el('strong', {}, account.label), el('small', {}, account === this.account && last ? preview(last.says) : ' ')))));
  }

  open(chat) {
    this.screen.classList.toggle('in-chat', chat);
    this.list.inert = chat;
    this.chat.inert = !chat;
  }

  bottom() {
    requestAnimationFrame(() => { this.scroll.scrollTop = this.scroll.scrollHeight; });
  }

  write(deed) {
    return api.write(this.who, deed).catch((error) => this.composer.complain(error));
  }

  async set(changes) {
    await api.settings(this.who, changes);
  }

  speak() {
    this.choice.replaceChildren(...this.customers.map(({ name, address }) => el('option', { value: address }, `${name} · ${this.channel === 'whatsapp' ? '+' : ''}${address}`)));
    this.choice.value = this.customer.address;
    this.face.textContent = initials(this.customer.name);
    this.title.textContent = this.account?.label ?? '';
    translate(this.element);
    this.composer.speak();
    if (this.account) this.draw();
  }
}
