// Two phones, the words, the theme and the faults drawer.

import * as api from './api.js';
import { el, icon } from './dom.js';
import { Drawer } from './faults.js';
import { Phone } from './phone.js';
import { choose, current, translate } from './words.js';

const FIRST = { whatsapp: { name: 'Alice Ramos', address: '5511987650001' }, telegram: { name: 'Beto Nunes', address: '700100200' } };
const stage = document.querySelector('.stage');
const tabs = document.querySelector('.tabs');

const { accounts, customers } = await api.customers();
const phones = [];
for (const channel of ['whatsapp', 'telegram']) {
  const own = accounts.filter((account) => account.channel === channel);
  const known = customers.filter((customer) => customer.channel === channel);
  const remembered = JSON.parse(localStorage.getItem(`customers.${channel}`) ?? 'null') ?? [FIRST[channel]];
  for (const { name, address } of known) {
    if (!remembered.some((one) => one.address === address)) remembered.push({ name, address });
  }
  const phone = new Phone(channel, own, remembered);
  phones.push(phone);
  stage.append(phone.element);
}

const show = (channel) => {
  for (const phone of phones) phone.element.classList.toggle('front', phone.channel === channel);
  for (const tab of tabs.children) tab.setAttribute('aria-selected', tab.dataset.channel === channel);
};
tabs.hidden = false;
tabs.append(...phones.map(({ channel }) => el('button', {
  type: 'button', role: 'tab', data: { channel }, onclick: () => show(channel),
}, channel === 'whatsapp' ? 'WhatsApp' : 'Telegram')));
show(new URLSearchParams(location.search).get('channel') ?? 'whatsapp');

const drawer = new Drawer(document.querySelector('.drawer'), document.querySelector('.open-faults'));

const theme = document.querySelector('.theme');
theme.append(icon('sun'));
const apply = (wish) => { document.documentElement.dataset.theme = wish ?? ''; };
apply(localStorage.getItem('theme'));
theme.addEventListener('click', () => {
  const dark = getComputedStyle(document.documentElement).getPropertyValue('--dark').trim() === '1';
  localStorage.setItem('theme', dark ? 'light' : 'dark');
  apply(localStorage.getItem('theme'));
});

const language = document.querySelector('.language');
const speak = () => {
  document.documentElement.lang = current();
  language.value = current();
  translate(document);
  phones.forEach((phone) => phone.speak());
  drawer.speak();
};
language.addEventListener('change', () => { choose(language.value); speak(); });
speak();
phones.forEach((phone) => phone.start());
