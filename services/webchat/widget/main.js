// Joins the link and the panel. Settings of the script tag: `data-account`, `data-title`, `data-language`,
// `data-skip="true"` (name and e-mail may be skipped), `data-open="true"` (opens by itself).
const MAX_FILE = 16 * 1024 * 1024;

const start = (script) => {
  const account = script.dataset.account;
  if (!account) { console.error("webchat: the script tag needs data-account"); return; }
  const base = new URL(script.src, location.href).href.replace(/\/webchat\/widget\.js.*$/, "");
  const language = pickLanguage(script.dataset.language);
  const t = WORDS[language];
  const store = memory(`afluente:${base}:${account}`);
  const host = document.createElement("div");
  host.id = "afluente-webchat";
  host.lang = language;
  const root = host.attachShadow({ mode: "open" });
  let unread = [];
  let history = true;
  const items = new Map();

  const show = (item) => { items.set(item.id, item); panel.put(item); };
  const watching = () => panel.open && !panel.asking && !document.hidden;
  const readAll = () => {
    if (!watching()) return;
    link.receipt("read", [...items.values()].filter((item) => item.from === "company"));
    unread = [];
    panel.unread(0);
  };

  const link = new LiveLink(base, account, store, {
    state: (state) => panel.state(state),
    item: (item) => {
      show({ ...item, state: "sent" });
      if (item.from !== "company") return;
      if (item.sequence > (store.get("read") || 0)) unread.push(item);
      if (!history) settleReceipts();
    },
    caughtUp: () => { history = false; settleReceipts(); },
    accepted: (id) => { const item = items.get(id); if (item) show({ ...item, state: "sent" }); },
    refused: (id) => { const item = items.get(id); if (item) show({ ...item, state: "failed" }); },
  });
  const settleReceipts = () => {
    link.receipt("delivered", [...items.values()].filter((item) => item.from === "company"));
    panel.unread(watching() ? 0 : unread.length);
    readAll();
  };

  const say = (content, id) => {
    const item = { id: link.say(content, id), from: "visitor", at: Date.now(), content, state: "sending" };
    show(item);
  };
  const files = async (chosen) => {
    for (const file of chosen) {
      if (file.size > MAX_FILE) { panel.warn(t.tooLarge); continue; }
      panel.warn(t.uploading, true);
      try {
        const kept = await link.upload(file);
        panel.warn("");
        const id = newId();
        const { ticket, kind, mime, size, name } = kept;
        link.say({ type: "media", ticket }, id);
        show({
          id, from: "visitor", at: Date.now(), state: "sending", media_url: URL.createObjectURL(file),
          content: { type: "media", kind, mime, size, name },
        });
      } catch (error) {
        panel.warn(error.status === 415 ? t.badType : error.status === 413 ? t.tooLarge : t.uploadFailed);
      }
    }
  };

  const panel = new Panel(root, t, language, { title: script.dataset.title, skip: script.dataset.skip === "true" }, {
    say: (content) => say(content),
    retry: (item) => say(item.content, newId()),
    files,
    introduced: (profile) => {
      store.set("introduced", true);
      link.tell(profile);
      panel.introduce(false);
      link.connect();
    },
    toggled: (open) => {
      store.set("open", open);
      if (open && !panel.asking) link.connect();
      readAll();
    },
  });
  panel.introduce(!store.get("introduced"));
  link.outbox.forEach((message) => {
    if (message.content.ticket) return;
    show({ id: message.id, from: "visitor", at: Date.now(), content: message.content, state: "sending" });
  });
  document.addEventListener("visibilitychange", readAll);
  document.body.append(host);
  // A visitor who was here before hears of answers without opening the panel; a stranger costs no connection.
  if (link.known) link.connect();
  if (store.get("open") || script.dataset.open === "true") panel.toggle(true);
};

const tag = document.currentScript || document.querySelector("script[data-account][src*='/webchat/widget.js']");
if (tag && document.readyState === "loading") addEventListener("DOMContentLoaded", () => start(tag));
else if (tag) start(tag);
