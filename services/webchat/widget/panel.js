// The panel: what is where on the screen. It knows no socket; it asks through `ask` and is told by calls.
class Panel {
  constructor(root, t, language, options, ask) {
    Object.assign(this, { t, language, ask, items: [], shown: new Map() });
    this.build(options);
    root.append(el("style", {}, STYLE), this.panel, this.launcher);
  }

  build(options) {
    const { t, ask } = this;
    this.badge = el("span", { class: "badge", hidden: true });
    const faces = [icon("chat"), icon("close")];
    faces[0].setAttribute("class", "chat");
    faces[1].setAttribute("class", "shut");
    this.launcher = el("button", {
      type: "button", class: "launcher", "aria-haspopup": "dialog", "aria-expanded": "false", "aria-label": t.open,
      onclick: () => this.toggle(),
    }, ...faces, this.badge);
    this.status = el("span", {}, t.online);
    const head = el("header", { class: "head" },
      el("h2", { id: "title" }, options.title || t.title),
      el("div", { class: "status", role: "status" }, el("span", { class: "dot" }), this.status),
      el("button", { type: "button", class: "x", "aria-label": t.close, onclick: () => this.toggle(false) }, icon("close")));
    this.log = el("div", {
      class: "log", role: "log", "aria-live": "polite", tabindex: "0", "aria-label": options.title || t.title,
      onscroll: () => this.scrolled(),
    });
    this.jump = el("button", { type: "button", class: "jump", hidden: true, onclick: () => this.toEnd() }, `↓ ${t.newMessage}`);
    this.notice = el("p", { class: "notice", role: "alert", hidden: true });
    this.drop = el("div", { class: "drop", hidden: true }, t.drop);
    this.talk = [this.log, this.jump, this.notice, this.composer(), el("div", { class: "foot" }, `${t.by} Afluente`)];
    this.intro = this.form(options.skip);
    this.panel = el("section", {
      class: "panel", role: "dialog", "aria-labelledby": "title", "data-open": "false", "data-state": "idle",
      onkeydown: (event) => this.key(event),
      ondragover: (event) => { event.preventDefault(); this.drop.hidden = this.asking; },
      ondragleave: (event) => { if (!this.panel.contains(event.relatedTarget)) this.drop.hidden = true; },
      ondrop: (event) => { event.preventDefault(); this.drop.hidden = true; if (!this.asking) ask.files([...event.dataTransfer.files]); },
    }, head, this.intro, ...this.talk, this.drop);
    this.empty();
  }

  form(skip) {
    const { t } = this;
    const input = (name, type, complete) => el("input", { name, type, autocomplete: complete, maxlength: 120 });
    const name = input("name", "text", "name");
    const email = input("email", "email", "email");
    const wrong = el("p", { class: "wrong", role: "alert" });
    const submit = (event) => {
      event.preventDefault();
      const profile = { name: name.value.trim(), email: email.value.trim() };
      const noName = !profile.name;
      const noEmail = !/^\S+@\S+\.\S+$/.test(profile.email);
      name.setAttribute("aria-invalid", noName);
      email.setAttribute("aria-invalid", noEmail);
      wrong.textContent = noName ? t.needName : noEmail ? t.needEmail : "";
      if (noName || noEmail) (noName ? name : email).focus();
      else this.ask.introduced(profile);
    };
    const later = skip && el("button", { type: "button", class: "quiet", onclick: () => this.ask.introduced({}) }, t.skip);
    return el("form", { class: "intro", novalidate: true, onsubmit: submit },
      el("h3", {}, t.hello), el("p", {}, t.intro),
      el("label", { class: "field" }, t.name, name), el("label", { class: "field" }, t.email, email),
      wrong, el("button", { type: "submit", class: "primary" }, t.start), later || null);
  }

  composer() {
    const { t, ask } = this;
    this.input = el("textarea", {
      rows: 1, placeholder: t.write, "aria-label": t.write, maxlength: 8000,
      oninput: () => this.typed(),
      onkeydown: (event) => {
        if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.submit(); }
      },
      onpaste: (event) => { if (event.clipboardData.files.length) { event.preventDefault(); ask.files([...event.clipboardData.files]); } },
    });
    const picker = el("input", { type: "file", multiple: true, hidden: true, onchange: () => { ask.files([...picker.files]); picker.value = ""; } });
    const attach = el("button", { type: "button", class: "tool", "aria-label": t.attach, title: t.attach, onclick: () => picker.click() }, icon("clip"));
    this.go = el("button", { type: "submit", class: "tool go", "aria-label": t.send, title: t.send, disabled: true }, icon("send"));
    const submit = (event) => { event.preventDefault(); this.submit(); };
    return el("form", { class: "composer", onsubmit: submit }, attach, picker, this.input, this.go);
  }

  get open() { return this.panel.dataset.open === "true"; }

  toggle(open = !this.open) {
    this.panel.dataset.open = open;
    this.launcher.setAttribute("aria-expanded", open);
    this.launcher.setAttribute("aria-label", open ? this.t.close : this.t.open);
    if (open) { this.focus(); this.toEnd(); } else this.launcher.focus();
    this.ask.toggled(open);
  }

  focus() { (this.asking ? this.intro.querySelector("input") : this.input).focus({ preventScroll: true }); }

  // The dialog keeps the Tab key to itself while it is open; Escape closes it.
  key(event) {
    if (event.key === "Escape") { event.stopPropagation(); this.toggle(false); }
    if (event.key !== "Tab") return;
    const all = [...this.panel.querySelectorAll("button, input, textarea, a[href], [tabindex='0'], audio, video")];
    const stops = all.filter((node) => !node.disabled && node.offsetParent !== null);
    const edge = event.shiftKey ? stops[0] : stops[stops.length - 1];
    if (this.panel.getRootNode().activeElement === edge) {
      event.preventDefault();
      (event.shiftKey ? stops[stops.length - 1] : stops[0]).focus();
    }
  }

  introduce(asking) {
    this.asking = asking;
    this.intro.hidden = !asking;
    this.talk.forEach((node) => { if (node !== this.jump && node !== this.notice) node.hidden = asking; });
    if (this.open) this.focus();
  }

  state(state) {
    this.panel.dataset.state = state;
    this.status.textContent = this.t[state];
  }

  unread(count) {
    this.badge.hidden = !count;
    this.badge.textContent = count > 99 ? "99+" : count;
    if (!this.open) this.launcher.setAttribute("aria-label", count ? `${this.t.open}, ${count} ${this.t.unread}` : this.t.open);
  }

  typed() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(128, this.input.scrollHeight + 2)}px`;
    this.go.disabled = !this.input.value.trim();
  }

  submit() {
    const text = this.input.value.trim();
    if (!text) return;
    this.input.value = "";
    this.typed();
    this.ask.say({ type: "text", text });
    this.toEnd();
  }

  warn(text, calm = false) {
    clearTimeout(this.calming);
    this.notice.hidden = !text;
    this.notice.textContent = text || "";
    this.notice.classList.toggle("calm", calm);
    if (text && !calm) this.calming = setTimeout(() => this.warn(""), 6000);
  }

  empty() {
    this.log.replaceChildren(el("div", { class: "empty" }, icon("chat"), el("p", {}, this.t.empty)));
  }

  // Puts an item in its place, or draws it anew when it is known under its id.
  put(item) {
    const atEnd = this.atEnd();
    const known = this.shown.get(item.id);
    if (!this.shown.size) this.log.replaceChildren();
    const draw = () => bubble(item, this.t, this.language, (option, buttons) => this.choose(option, buttons), () => this.ask.retry(item));
    const node = draw();
    if (known) {
      if (known.item.sequence) item.sequence = item.sequence || known.item.sequence;
      node.style.animation = "none";
      known.node.replaceWith(node);
    } else {
      this.separate(item.at);
      this.log.append(node);
    }
    this.shown.set(item.id, { item, node });
    // A picture grows when it has loaded; who was at the end stays there.
    if (atEnd || item.from === "visitor") node.querySelectorAll("img").forEach((image) => image.addEventListener("load", () => this.toEnd()));
    if (atEnd || item.from === "visitor") this.toEnd();
    else if (!known) this.jump.hidden = false;
  }

  separate(at) {
    const day = new Date(at).toDateString();
    if (day === this.day) return;
    this.day = day;
    const today = new Date();
    const yesterday = new Date(today.getTime() - 86400000);
    const name = day === today.toDateString() ? this.t.today
      : day === yesterday.toDateString() ? this.t.yesterday
        : new Date(at).toLocaleDateString(this.language, { day: "numeric", month: "long" });
    this.log.append(el("div", { class: "day" }, name));
  }

  choose(option, buttons) {
    buttons.forEach((button) => {
      button.disabled = true;
      button.setAttribute("aria-pressed", button.textContent === option.label);
    });
    this.ask.say({ type: "choice", label: option.label, payload: option.payload });
    this.input.focus({ preventScroll: true });
  }

  atEnd() { return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60; }

  toEnd() {
    this.jump.hidden = true;
    requestAnimationFrame(() => { this.log.scrollTop = this.log.scrollHeight; });
  }

  scrolled() { if (this.atEnd()) this.jump.hidden = true; }
}
