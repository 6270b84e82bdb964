import type { Template } from '../../src/api/types.ts';

const plain: Omit<Template, 'id' | 'name' | 'body'> = {
  language: 'pt_BR',
  category: 'utility',
  header: null,
  footer: 'Loja Aurora',
  buttons: [],
  places: 0,
  body_places: 0,
};

/** What the provider has approved for the mock's WhatsApp account. */
export const templates: Template[] = [
  {
    ...plain,
    id: 't1',
    name: 'horario_de_domingo',
    category: 'marketing',
    body: 'Neste domingo a loja abre das 10h às 16h. Esperamos você!',
    footer: 'Responda SAIR para não receber mais',
  },
  {
    ...plain,
    id: 't2',
    name: 'pedido_pronto',
    header: 'Seu pedido está pronto',
    body: 'Oi, {{1}}! O pedido {{2}} já pode ser retirado na loja, até as {{3}}. Leve um documento com foto.',
    buttons: [
      { label: 'Acompanhar', action: 'link', target: 'https://loja.example/pedidos/{{1}}' },
      { label: 'Ligar', action: 'call', target: '+551130000000' },
    ],
    places: 4,
    body_places: 3,
  },
  ...(
    [
      ['t3', 'pt_BR', 'Olá, {{1}}! Aqui é {{2}}, da Loja Aurora. Podemos continuar por aqui?', 'Podemos, sim'],
      ['t4', 'es', '¡Hola, {{1}}! Soy {{2}}, de Loja Aurora. ¿Seguimos por aquí?', 'Sí, sigamos'],
      ['t5', 'en', 'Hello {{1}}, this is {{2}} from Loja Aurora. Shall we go on here?', 'Yes, please'],
    ] as const
  ).map(
    ([id, language, body, label]): Template => ({
      ...plain,
      id,
      language,
      name: 'retomar_atendimento',
      body,
      buttons: [{ label, action: 'reply', target: null }],
      places: 2,
      body_places: 2,
    }),
  ),
];
