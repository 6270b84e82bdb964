import type { Content, Conversation } from '../../src/api/types.ts';
import { addConversation, addMessage, DAY, HOUR, MINUTE, type Person, type World } from './world.ts';

const text = (words: string): Content => ({ type: 'text', text: words });
const mine = (world: World) => ({ id: world.me.id, name: world.me.name });

/** Fills the mock desk with people and what they said. */
export function fill(world: World, now: number): void {
  const photo = 'demo/photo.svg';
  world.media.set(photo, { mime: 'image/svg+xml', name: 'tenis.svg', bytes: Buffer.from(SHOE) });
  world.media.set('demo/voice.wav', { mime: 'audio/wav', name: 'voz.wav', bytes: wave(6) });
  world.media.set('demo/nota.pdf', {
    mime: 'application/pdf',
    name: 'nota-fiscal-48213.pdf',
    bytes: Buffer.from('%PDF-1.4 demo'),
  });
  busy(world, now, photo);
  rest(world, now);
  const people: [string | null, Person['channel'], string, string | undefined, string, number][] = [
    [
      'Carlos Eduardo Pires',
      'whatsapp',
      '+55 21 99876-1123',
      undefined,
      'Meu pedido ainda não chegou, podem verificar?',
      43,
    ],
    [
      'Ana Beatriz Monteiro',
      'webchat',
      'visitante-8f2c',
      'ana.monteiro@exemplo.com.br',
      'Boa tarde! Vocês entregam em Manaus?',
      21,
    ],
    ['Diego Castillo', 'telegram', '@dcastillo', undefined, 'Quiero cambiar la talla de mi compra', 14],
    [null, 'whatsapp', '+55 11 98111-4470', undefined, '', 9],
    [
      'Juliana Prado',
      'whatsapp',
      '+55 31 99220-8812',
      'ju.prado@exemplo.com',
      'Qual o prazo para a segunda via do boleto?',
      6,
    ],
    [
      'Heitor Vasconcelos de Albuquerque Neto',
      'webchat',
      'visitante-02ab',
      'heitor@empresa-com-nome-comprido.com.br',
      'Olá',
      3,
    ],
    ['Mei Tanaka', 'telegram', '@meitanaka', undefined, 'Is the blue one back in stock?', 1],
  ];
  for (const [name, channel, address, email, words, minutes] of people) {
    const at = now - minutes * MINUTE - 20_000;
    const one = addConversation(
      world,
      { name, channel, address, email },
      { opened_at: at, waiting_since: at, last_inbound_at: at },
    );
    addMessage(
      world,
      one,
      'in',
      words
        ? text(words)
        : {
            type: 'media',
            kind: 'image',
            mime: 'image/svg+xml',
            name: null,
            caption: null,
            size: 1,
            state: 'stored',
            key: photo,
          },
      at,
    );
  }
}

/** The conversation with one of everything in it. */
function busy(world: World, now: number, photo: string): void {
  const start = now - DAY - 2 * HOUR;
  const one = addConversation(
    world,
    {
      name: 'Patrícia Sampaio',
      channel: 'whatsapp',
      address: '+55 11 97654-3210',
      email: 'patricia.sampaio@exemplo.com.br',
      phone: '+55 11 97654-3210',
    },
    {
      state: 'active',
      agent: mine(world),
      assignment: {
        ground: 'circular',
        at: start + 4 * MINUTE,
        by: null,
        considered: [
          { agent: mine(world), verdict: 'chosen' },
          { agent: { id: 'usr_2', name: 'Rafael Nogueira' }, verdict: 'assigned_more_recently' },
          { agent: { id: 'usr_4', name: 'Tomás Arruda' }, verdict: 'at_capacity' },
          { agent: { id: 'usr_3', name: 'Lucía Fernández' }, verdict: 'paused' },
        ],
      },
      opened_at: start,
      waiting_since: start,
      unread: 0,
      window: { rule: 'timed', closes_at: now + 21 * HOUR + 14 * MINUTE },
      last_inbound_at: now - 3 * HOUR,
    },
  );
  for (let index = 0; index < 70; index += 1) {
    addMessage(
      world,
      one,
      index % 3 === 0 ? 'out' : 'in',
      text(`Mensagem antiga nº ${index + 1}`),
      start - (90 - index) * 10 * MINUTE,
      { delivery: 'read' },
    );
  }
  const say = (direction: 'in' | 'out', content: Content, minutes: number, more = {}) =>
    addMessage(world, one, direction, content, now - minutes * MINUTE, more);
  say('in', text('Oi! Comprei um tênis na semana passada e ele chegou com um defeito na sola 😕'), 96);
  say(
    'in',
    {
      type: 'media',
      kind: 'image',
      mime: 'image/svg+xml',
      name: 'tenis.svg',
      caption: 'Olha só como veio',
      size: 48_200,
      state: 'stored',
      key: photo,
    },
    95,
  );
  const sorry = say('out', text('Oi, Patrícia! Sinto muito por isso. Já estou vendo o seu pedido.'), 93, {
    delivery: 'read',
  });
  say(
    'out',
    text(
      'Você pode me mandar a nota fiscal, por favor? Se preferir, o número do pedido também serve: https://loja.exemplo.com.br/pedidos',
    ),
    92,
    { delivery: 'read' },
  );
  say(
    'in',
    {
      type: 'media',
      kind: 'document',
      mime: 'application/pdf',
      name: 'nota-fiscal-48213.pdf',
      caption: null,
      size: 184_320,
      state: 'stored',
      key: 'demo/nota.pdf',
    },
    80,
  );
  say(
    'in',
    {
      type: 'media',
      kind: 'audio',
      mime: 'audio/wav',
      name: null,
      caption: null,
      size: 48_044,
      state: 'stored',
      key: 'demo/voice.wav',
    },
    79,
    { reply: sorry.id },
  );
  say(
    'in',
    {
      type: 'location',
      latitude: -23.561414,
      longitude: -46.655881,
      name: 'Loja da Avenida Paulista',
      address: 'Av. Paulista, 1578, São Paulo',
    },
    74,
  );
  say(
    'in',
    {
      type: 'contacts',
      cards: [
        {
          name: 'Renato Sampaio',
          phones: ['+55 11 91234-5678'],
          emails: ['renato@exemplo.com.br'],
          organization: 'Sampaio Transportes',
        },
      ],
    },
    72,
  );
  say(
    'out',
    {
      type: 'choices',
      text: 'Como você prefere resolver?',
      options: [
        { label: 'Troca pelo mesmo modelo', payload: 'a' },
        { label: 'Devolução do valor', payload: 'b' },
      ],
    },
    60,
    { delivery: 'delivered' },
  );
  say('in', { type: 'choice', label: 'Troca pelo mesmo modelo', payload: 'a' }, 58);
  say('in', { type: 'unsupported', kind: 'order' }, 50);
  say(
    'in',
    {
      type: 'media',
      kind: 'image',
      mime: 'image/jpeg',
      name: null,
      caption: null,
      size: null,
      state: 'pending',
      key: null,
    },
    20,
  );
  say(
    'in',
    {
      type: 'media',
      kind: 'video',
      mime: 'video/mp4',
      name: 'unboxing.mp4',
      caption: null,
      size: null,
      state: 'lost',
      reason: 'too_large',
      key: null,
    },
    18,
  );
  say('out', text('Perfeito, a troca já está aberta. A etiqueta de envio chega no seu e-mail.'), 12, {
    delivery: 'delivered',
  });
  say('out', text('Também posso enviar por aqui.'), 11, { delivery: 'sent' });
  say(
    'out',
    {
      type: 'media',
      kind: 'document',
      mime: 'application/pdf',
      name: 'etiqueta.pdf',
      caption: null,
      size: 51_200,
      state: 'stored',
      key: 'demo/nota.pdf',
    },
    8,
    {
      delivery: 'failed',
      failure: { code: 'provider_rejected', provider_code: '1013', reason: 'User is not valid' },
    },
  );
  say('out', text('Assim que postar, me avise 👍'), 6, {
    delivery: 'parked',
    failure: { code: 'in_doubt', provider_code: null, reason: 'timeout after 30s' },
  });
  say('in', text('👍'), 2);
}

function rest(world: World, now: number): void {
  const base = (minutes: number, state: 'active' | 'inactive', unread: number): Partial<Conversation> => ({
    state,
    agent: mine(world),
    assignment: { ground: 'taken', at: now - minutes * MINUTE, by: mine(world), considered: [] },
    opened_at: now - minutes * MINUTE,
    waiting_since: now - minutes * MINUTE,
    unread,
  });
  const closing = addConversation(
    world,
    { name: 'Gustavo Henrique', channel: 'whatsapp', address: '+55 51 98877-2211' },
    { ...base(240, 'active', 2), window: { rule: 'timed', closes_at: now + 74 * MINUTE } },
  );
  addMessage(world, closing, 'out', text('O técnico passa amanhã de manhã, tudo bem?'), now - 50 * MINUTE, {
    delivery: 'read',
  });
  addMessage(world, closing, 'in', text('Pode ser depois das 10h?'), now - 5 * MINUTE);
  addMessage(world, closing, 'in', text('De manhã cedo eu não estou'), now - 4 * MINUTE);
  const site = addConversation(
    world,
    { name: 'Valentina Rojas', channel: 'webchat', address: 'visitante-77de', email: 'valentina.rojas@ejemplo.com' },
    base(30, 'active', 0),
  );
  addMessage(world, site, 'in', text('Hola, ¿tienen tienda física en Montevideo?'), now - 25 * MINUTE);
  addMessage(world, site, 'out', text('¡Hola, Valentina! Sí, en la calle 18 de Julio.'), now - 24 * MINUTE, {
    delivery: 'delivered',
  });
  const shut = addConversation(
    world,
    { name: 'Fernanda Albuquerque', channel: 'whatsapp', address: '+55 81 99654-1020' },
    {
      ...base(2000, 'inactive', 0),
      window: { rule: 'timed', closes_at: now - HOUR },
      last_inbound_at: now - 25 * HOUR,
    },
  );
  addMessage(world, shut, 'in', text('Vou conferir e aviso.'), now - 25 * HOUR);
}

const SHOE = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 440"><defs><linearGradient id="g" x2="0" y2="1"><stop stop-color="#cfe4ee"/><stop offset="1" stop-color="#8fb4c6"/></linearGradient></defs><rect width="640" height="440" fill="url(#g)"/><path d="M90 300c0-90 20-140 70-150 40 60 90 70 130 60l170 70c60 20 90 30 90 60v20H90z" fill="#f7f4ee"/><path d="M90 330h460v30c0 12-8 20-20 20H110c-12 0-20-8-20-20z" fill="#e0674c"/><path d="M250 232l40 60M300 250l36 52M350 270l30 42" stroke="#44566a" stroke-width="9" stroke-linecap="round"/></svg>`;

/** A tone, as a WAV file. */
function wave(seconds: number): Buffer {
  const rate = 8000;
  const data = Buffer.alloc(rate * seconds);
  for (let index = 0; index < data.length; index += 1)
    data[index] = 128 + Math.round(40 * Math.sin(index / 6) * Math.sin(index / 900));
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write('data', 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}
