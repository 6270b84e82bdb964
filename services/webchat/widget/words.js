// What the widget says, by the browser's language.
const WORDS = {
  en: {
    open: "Chat with us", close: "Close chat", title: "How can we help?", online: "We usually answer in a few minutes",
    connecting: "Connecting…", offline: "Reconnecting…", hello: "Hi there 👋",
    intro: "Tell us who you are, so we can pick up where we left off.",
    name: "Your name", email: "E-mail", start: "Start the conversation", skip: "Skip for now",
    needName: "Please tell us your name.", needEmail: "Please enter a valid e-mail address.",
    write: "Write a message…", send: "Send", attach: "Attach a file", you: "You", agent: "Support",
    today: "Today", yesterday: "Yesterday", sending: "Sending", sent: "Sent", failed: "Not sent. Try again",
    tooLarge: "This file is larger than 16 MB.", badType: "This kind of file is not accepted.",
    uploadFailed: "The file could not be sent. Try again.", uploading: "Uploading…", map: "Open the map",
    unread: "unread messages", drop: "Drop the file to send it", unsupported: "This message cannot be shown here.",
    download: "Download", newMessage: "New message", empty: "Send us a message and we will reply right here.",
    by: "Powered by",
  },
  pt: {
    open: "Fale com a gente", close: "Fechar conversa", title: "Como podemos ajudar?",
    online: "Costumamos responder em poucos minutos", connecting: "Conectando…", offline: "Reconectando…",
    hello: "Olá 👋", intro: "Conte quem é você, para continuarmos de onde paramos.",
    name: "Seu nome", email: "E-mail", start: "Iniciar conversa", skip: "Agora não",
    needName: "Por favor, diga seu nome.", needEmail: "Por favor, informe um e-mail válido.",
    write: "Escreva uma mensagem…", send: "Enviar", attach: "Anexar arquivo", you: "Você", agent: "Atendimento",
    today: "Hoje", yesterday: "Ontem", sending: "Enviando", sent: "Enviada", failed: "Não enviada. Tentar de novo",
    tooLarge: "Este arquivo passa de 16 MB.", badType: "Este tipo de arquivo não é aceito.",
    uploadFailed: "O arquivo não pôde ser enviado. Tente de novo.", uploading: "Enviando arquivo…",
    map: "Abrir o mapa", unread: "mensagens não lidas", drop: "Solte o arquivo para enviar",
    unsupported: "Esta mensagem não pode ser mostrada aqui.", download: "Baixar", newMessage: "Nova mensagem",
    empty: "Mande uma mensagem e respondemos por aqui mesmo.", by: "Feito com",
  },
  es: {
    open: "Habla con nosotros", close: "Cerrar chat", title: "¿Cómo podemos ayudarte?",
    online: "Solemos responder en pocos minutos", connecting: "Conectando…", offline: "Reconectando…",
    hello: "Hola 👋", intro: "Cuéntanos quién eres, para seguir donde lo dejamos.",
    name: "Tu nombre", email: "Correo electrónico", start: "Iniciar conversación", skip: "Ahora no",
    needName: "Por favor, dinos tu nombre.", needEmail: "Por favor, escribe un correo válido.",
    write: "Escribe un mensaje…", send: "Enviar", attach: "Adjuntar archivo", you: "Tú", agent: "Atención",
    today: "Hoy", yesterday: "Ayer", sending: "Enviando", sent: "Enviado", failed: "No enviado. Intentar de nuevo",
    tooLarge: "Este archivo supera los 16 MB.", badType: "Este tipo de archivo no se acepta.",
    uploadFailed: "No se pudo enviar el archivo. Inténtalo de nuevo.", uploading: "Subiendo archivo…",
    map: "Abrir el mapa", unread: "mensajes sin leer", drop: "Suelta el archivo para enviarlo",
    unsupported: "Este mensaje no se puede mostrar aquí.", download: "Descargar", newMessage: "Mensaje nuevo",
    empty: "Escríbenos y te respondemos por aquí mismo.", by: "Hecho con",
  },
};

const pickLanguage = (wanted) => {
  for (const tag of [wanted, ...(navigator.languages || [navigator.language])]) {
    const base = (tag || "").slice(0, 2).toLowerCase();
    if (WORDS[base]) return base;
  }
  return "en";
};
