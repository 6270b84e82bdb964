// The connection: one WebSocket that comes back by itself, resumes after the last item, and sends each message until
// it is acknowledged. The server drops repeats by their id.
const memory = (key) => {
  // Private windows may refuse storage: the widget then lives as long as the page.
  let volatile = {};
  const read = () => {
    try { return JSON.parse(localStorage.getItem(key)) || {}; } catch { return volatile; }
  };
  return {
    get: (name) => read()[name],
    set: (name, value) => {
      const all = { ...read(), [name]: value };
      volatile = all;
      try { localStorage.setItem(key, JSON.stringify(all)); } catch { /* kept in `volatile` */ }
    },
  };
};

const newId = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
};

class LiveLink {
  // `base` is where the script came from; `on` hears `state`, `item`, `caughtUp`, `accepted` and `refused`.
  constructor(base, account, store, on) {
    Object.assign(this, { base, account, store, on, seen: 0, tries: 0, ready: false });
    this.outbox = store.get("outbox") || [];
    addEventListener("online", () => this.wanted && this.connect());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.wanted && !this.socket) this.connect();
    });
  }

  get known() { return Boolean(this.store.get("token")); }

  connect() {
    this.wanted = true;
    clearTimeout(this.timer);
    if (this.socket) return;
    this.on.state(this.tries ? "offline" : "connecting");
    const url = `${this.base.replace(/^http/, "ws")}/link/webchat/${encodeURIComponent(this.account)}/ws`;
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.onopen = () => this.raw({
      type: "hello", token: this.store.get("token"), after: this.seen, profile: this.store.get("profile") || {},
    });
    socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    socket.onclose = () => this.lost(socket);
    socket.onerror = () => socket.close();
  }

  lost(socket) {
    if (this.socket !== socket) return;
    this.socket = null;
    this.ready = false;
    clearInterval(this.beat);
    this.on.state("offline");
    const pause = Math.min(15000, 500 * 2 ** this.tries) * (0.5 + Math.random() / 2);
    this.tries += 1;
    this.timer = setTimeout(() => this.connect(), pause);
  }

  raw(frame) {
    if (this.socket && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  hear(frame) {
    this.heard = Date.now();
    if (frame.type === "welcome") {
      // Another visitor than before (the secret was changed): nothing of the old one applies.
      if (this.visitor && this.visitor !== frame.visitor) this.seen = 0;
      this.visitor = frame.visitor;
      this.store.set("token", frame.token);
    } else if (frame.type === "item") {
      if (frame.sequence <= this.seen) return;
      this.seen = frame.sequence;
      if (frame.from === "visitor") this.settle(frame.id);
      // Media comes from wherever the script came from.
      if (frame.media_url) frame.media_url = this.base + frame.media_url;
      this.on.item(frame);
    } else if (frame.type === "caught_up") {
      this.tries = 0;
      this.ready = true;
      this.on.state("online");
      this.on.caughtUp();
      this.outbox.forEach((message) => this.raw(message));
      clearInterval(this.beat);
      this.beat = setInterval(() => {
        if (Date.now() - this.heard > 60000) this.socket.close();
        this.raw({ type: "ping" });
      }, 25000);
    } else if (frame.type === "accepted") {
      this.settle(frame.id);
      this.on.accepted(frame.id);
    } else if (frame.type === "error" && frame.id) {
      if (frame.code === "throttled" || frame.code === "unavailable") {
        const again = this.outbox.find((message) => message.id === frame.id);
        if (again) setTimeout(() => this.raw(again), 2000);
      } else {
        this.settle(frame.id);
        this.on.refused(frame.id);
      }
    }
  }

  // Keeps the message until it is acknowledged, over reloads too.
  say(content, id = newId()) {
    const message = { type: "message", id, content };
    this.outbox = [...this.outbox.filter((known) => known.id !== id), message];
    this.store.set("outbox", this.outbox);
    if (this.ready) this.raw(message);
    else this.connect();
    return id;
  }

  settle(id) {
    if (!this.outbox.some((message) => message.id === id)) return;
    this.outbox = this.outbox.filter((message) => message.id !== id);
    this.store.set("outbox", this.outbox);
  }

  tell(profile) {
    this.store.set("profile", profile);
    this.raw({ type: "profile", ...profile });
  }

  // `kind` is `delivered` or `read`; each item is reported once in the life of the browser's storage.
  receipt(kind, items) {
    const mark = this.store.get(kind) || 0;
    const fresh = items.filter((item) => item.sequence > mark);
    if (!fresh.length || !this.socket) return;
    this.store.set(kind, Math.max(...fresh.map((item) => item.sequence)));
    this.raw({ type: kind, ids: fresh.map((item) => item.id) });
  }

  async upload(file) {
    const url = `${this.base}/link/webchat/${encodeURIComponent(this.account)}/media?name=${encodeURIComponent(file.name)}`;
    const headers = {
      authorization: `Bearer ${this.store.get("token")}`,
      "content-type": file.type || "application/octet-stream",
    };
    const answer = await fetch(url, { method: "POST", headers, body: file });
    if (!answer.ok) throw Object.assign(new Error("upload"), { status: answer.status });
    return answer.json();
  }
}
