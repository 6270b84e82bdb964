// The page's words in three languages. `say` picks one; `{x}` stands for a value.

const WORDS = {
  'pt-BR': {
    subtitle: 'simulador de clientes', language: 'Idioma', theme: 'Claro ou escuro', faults: 'Falhas',
    customer: 'Cliente', newCustomer: 'Novo cliente', name: 'Nome', number: 'Número', chatId: 'Número do chat',
    create: 'Criar', cancel: 'Cancelar', send: 'Enviar', reading: 'Lê na hora', blocked: 'Bloqueou a empresa',
    chats: 'Conversas', back: 'Voltar', noMessages: 'Diga olá para começar', placeholder: 'Mensagem',
    attach: 'Anexar', image: 'Imagem', file: 'Arquivo', audio: 'Áudio', location: 'Localização', contact: 'Contato',
    unknown: 'Outro tipo', latitude: 'Latitude', longitude: 'Longitude', place: 'Lugar', phone: 'Telefone',
    kind: 'Tipo', reply: 'Responder', markRead: 'Marcar como lida', sent: 'enviada', delivered: 'entregue',
    read: 'lida', failed: 'não entregue', unsupported: 'Mensagem do tipo “{x}”', today: 'Hoje', business: 'conta comercial',
    bot: 'robô', none: 'Nenhuma conta simulada neste canal.', lost: 'Sem conexão; tentando de novo…', you: 'Você',
    badNumber: 'Só dígitos, com o código do país', openMap: 'Abrir no mapa', caption: 'Legenda',
    faultsTitle: 'Falhas do provedor', faultsHint: 'Cada número vale para os próximos envios da empresa.',
    allOff: 'Desligar tudo', close: 'Fechar', calls: 'Chamadas recebidas', noCalls: 'Nenhuma ainda.',
    f_reject_next: 'Recusar (400)', f_reject_reason: 'Motivo', f_throttle_next: 'Rápido demais (429)',
    f_retry_after: 'Retry-After, segundos', f_error_next: 'Erro do servidor', f_error_status: 'Status',
    f_hang_next: 'Sem resposta', f_hang_ms: 'Espera, ms', f_late_next: 'Aceitar e responder tarde',
    f_late_ms: 'Atraso, ms', f_fail_next: 'Aceitar e falhar depois', f_fail_code: 'Código', f_fail_reason: 'Motivo',
    f_receipts: 'Confirmações', f_receipts_late_ms: 'Atraso das confirmações, ms',
    f_webhooks_doubled: 'Webhooks em dobro', f_media_expired: 'Mídia expirada', f_token_revoked: 'Credencial revogada',
    r_normal: 'normais', r_doubled: 'em dobro', r_late: 'atrasadas', r_reordered: 'fora de ordem', r_missing: 'perdidas',
  },
  es: {
    subtitle: 'simulador de clientes', language: 'Idioma', theme: 'Claro u oscuro', faults: 'Fallas',
    customer: 'Cliente', newCustomer: 'Nuevo cliente', name: 'Nombre', number: 'Número', chatId: 'Número del chat',
    create: 'Crear', cancel: 'Cancelar', send: 'Enviar', reading: 'Lee al instante', blocked: 'Bloqueó a la empresa',
    chats: 'Conversaciones', back: 'Volver', noMessages: 'Di hola para empezar', placeholder: 'Mensaje',
    attach: 'Adjuntar', image: 'Imagen', file: 'Archivo', audio: 'Audio', location: 'Ubicación', contact: 'Contacto',
    unknown: 'Otro tipo', latitude: 'Latitud', longitude: 'Longitud', place: 'Lugar', phone: 'Teléfono',
    kind: 'Tipo', reply: 'Responder', markRead: 'Marcar como leído', sent: 'enviado', delivered: 'entregado',
    read: 'leído', failed: 'no entregado', unsupported: 'Mensaje de tipo «{x}»', today: 'Hoy', business: 'cuenta comercial',
    bot: 'bot', none: 'Ninguna cuenta simulada en este canal.', lost: 'Sin conexión; intentando de nuevo…', you: 'Tú',
    badNumber: 'Solo dígitos, con el código del país', openMap: 'Abrir en el mapa', caption: 'Leyenda',
    faultsTitle: 'Fallas del proveedor', faultsHint: 'Cada número vale para los próximos envíos de la empresa.',
    allOff: 'Apagar todo', close: 'Cerrar', calls: 'Llamadas recibidas', noCalls: 'Ninguna todavía.',
    f_reject_next: 'Rechazar (400)', f_reject_reason: 'Motivo', f_throttle_next: 'Demasiado rápido (429)',
    f_retry_after: 'Retry-After, segundos', f_error_next: 'Error del servidor', f_error_status: 'Estado',
    f_hang_next: 'Sin respuesta', f_hang_ms: 'Espera, ms', f_late_next: 'Aceptar y responder tarde',
    f_late_ms: 'Retraso, ms', f_fail_next: 'Aceptar y fallar después', f_fail_code: 'Código', f_fail_reason: 'Motivo',
    f_receipts: 'Confirmaciones', f_receipts_late_ms: 'Retraso de confirmaciones, ms',
    f_webhooks_doubled: 'Webhooks duplicados', f_media_expired: 'Archivos vencidos', f_token_revoked: 'Credencial revocada',
    r_normal: 'normales', r_doubled: 'duplicadas', r_late: 'tardías', r_reordered: 'en desorden', r_missing: 'perdidas',
  },
  en: {
    subtitle: 'customer simulator', language: 'Language', theme: 'Light or dark', faults: 'Faults',
    customer: 'Customer', newCustomer: 'New customer', name: 'Name', number: 'Number', chatId: 'Chat number',
    create: 'Create', cancel: 'Cancel', send: 'Send', reading: 'Reads at once', blocked: 'Blocked the company',
    chats: 'Chats', back: 'Back', noMessages: 'Say hello to begin', placeholder: 'Message',
    attach: 'Attach', image: 'Image', file: 'File', audio: 'Audio', location: 'Location', contact: 'Contact',
    unknown: 'Other kind', latitude: 'Latitude', longitude: 'Longitude', place: 'Place', phone: 'Phone',
    kind: 'Kind', reply: 'Reply', markRead: 'Mark as read', sent: 'sent', delivered: 'delivered',
    read: 'read', failed: 'not delivered', unsupported: 'Message of kind “{x}”', today: 'Today', business: 'business account',
    bot: 'bot', none: 'No simulated account on this channel.', lost: 'No connection; trying again…', you: 'You',
    badNumber: 'Digits only, with the country code', openMap: 'Open on a map', caption: 'Caption',
    faultsTitle: 'Faults of the provider', faultsHint: "Each number counts for the company's next sends.",
    allOff: 'All off', close: 'Close', calls: 'Calls received', noCalls: 'None yet.',
    f_reject_next: 'Refuse (400)', f_reject_reason: 'Reason', f_throttle_next: 'Too fast (429)',
    f_retry_after: 'Retry-After, seconds', f_error_next: 'Server error', f_error_status: 'Status',
    f_hang_next: 'No answer', f_hang_ms: 'Wait, ms', f_late_next: 'Accept and answer late',
    f_late_ms: 'Delay, ms', f_fail_next: 'Accept and fail later', f_fail_code: 'Code', f_fail_reason: 'Reason',
    f_receipts: 'Receipts', f_receipts_late_ms: 'Delay of receipts, ms',
    f_webhooks_doubled: 'Webhooks doubled', f_media_expired: 'Media expired', f_token_revoked: 'Credential revoked',
    r_normal: 'normal', r_doubled: 'doubled', r_late: 'late', r_reordered: 'out of order', r_missing: 'missing',
  },
};

const pick = (wish) => Object.keys(WORDS).find((code) => wish?.toLowerCase().startsWith(code.slice(0, 2).toLowerCase()));

let language = pick(localStorage.getItem('language')) ?? pick(navigator.language) ?? 'en';

export const current = () => language;

export function choose(code) {
  language = pick(code) ?? 'en';
  localStorage.setItem('language', language);
}

export const say = (word, x = '') => (WORDS[language][word] ?? word).replace('{x}', x);

/** Fills every element that names its word. */
export function translate(root) {
  for (const element of root.querySelectorAll('[data-word]')) element.textContent = say(element.dataset.word);
  for (const element of root.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', say(element.dataset.label));
    element.title = say(element.dataset.label);
  }
  for (const element of root.querySelectorAll('[data-hint]')) element.placeholder = say(element.dataset.hint);
}
