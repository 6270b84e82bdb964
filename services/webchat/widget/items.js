// How one item looks. Text goes in as text, never as HTML: nothing that somebody wrote can run.
const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

// Icons are paths of a 24 by 24 grid, drawn with the text's colour.
const PATHS = {
  chat: "M12 3c5.2 0 9.3 3.6 9.3 8.1s-4.1 8.1-9.3 8.1c-1 0-2-.1-2.9-.4L4.3 21l.9-4C3.6 15.5 2.7 13.4 2.7 11.1 2.7 6.6 6.8 3 12 3z",
  close: "M6 6l12 12M18 6L6 18",
  send: "M4.5 12L3.3 4.7a.6.6 0 0 1 .85-.64l16.2 7.4a.6.6 0 0 1 0 1.09l-16.2 7.4a.6.6 0 0 1-.85-.64L4.5 12zm0 0h7.5",
  clip: "M20 11.5l-8.2 8.2a5.3 5.3 0 0 1-7.5-7.5l8.5-8.5a3.5 3.5 0 0 1 5 5l-8.5 8.5a1.8 1.8 0 0 1-2.5-2.5l7.8-7.8",
  clock: "M12 7v5l3 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
  tick: "M5 12.5l4.5 4.5L19 7.5",
  file: "M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8l-5-5zm0 0v5h5",
  pin: "M12 21s7-6.1 7-11.5A7 7 0 0 0 5 9.5C5 14.9 12 21 12 21zm0-9a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-7.5 9a7.5 7.5 0 0 1 15 0",
};

const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
};

const fileSize = (bytes) => {
  if (!bytes) return "";
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
};

// Links in a text can be followed; everything around them stays text.
const worded = (text) => {
  const line = el("p", { class: "text" });
  let last = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"]+[^\s<>".,;:!?)]/g)) {
    line.append(text.slice(last, found.index));
    line.append(el("a", { href: found[0], target: "_blank", rel: "noopener noreferrer" }, found[0]));
    last = found.index + found[0].length;
  }
  line.append(text.slice(last));
  return line;
};

const mediaBody = (content, url, t) => {
  const caption = content.caption ? worded(content.caption) : null;
  const name = content.name || t.download;
  if (!url) return [el("p", { class: "text muted" }, name), caption];
  if (content.kind === "image" || content.kind === "sticker") {
    const picture = el("img", { src: url, alt: content.caption || content.name || "", loading: "lazy" });
    return [el("a", { class: "picture", href: url, target: "_blank", rel: "noopener" }, picture), caption];
  }
  if (content.kind === "audio") return [el("audio", { controls: true, src: url, preload: "metadata" }), caption];
  if (content.kind === "video") return [el("video", { controls: true, src: url, preload: "metadata" }), caption];
  const label = el("span", {}, el("b", {}, name), el("small", {}, fileSize(content.size)));
  return [el("a", { class: "card", href: url, target: "_blank", rel: "noopener" }, icon("file"), label), caption];
};

// The nodes inside a bubble. `choose` is called with an option when a quick-reply button is tapped.
const bodyOf = (content, url, t, choose) => {
  switch (content.type) {
    case "text": return [worded(content.text)];
    case "choice": return [worded(content.label)];
    case "media": return mediaBody(content, url, t);
    case "location": {
      const place = content.name || content.address || `${content.latitude.toFixed(5)}, ${content.longitude.toFixed(5)}`;
      const href = `https://www.openstreetmap.org/?mlat=${content.latitude}&mlon=${content.longitude}#map=16/${content.latitude}/${content.longitude}`;
      const label = el("span", {}, el("b", {}, place), el("small", {}, t.map));
      return [el("a", { class: "card", href, target: "_blank", rel: "noopener" }, icon("pin"), label)];
    }
    case "contacts": return content.cards.map((card) => {
      const details = [...card.phones, ...card.emails].join(" · ");
      return el("div", { class: "card" }, icon("person"), el("span", {}, el("b", {}, card.name), el("small", {}, details)));
    });
    case "choices": {
      const buttons = content.options.map((option) =>
        el("button", { type: "button", class: "choice", onclick: () => choose(option, buttons) }, option.label));
      return [worded(content.text), el("div", { class: "choices", role: "group" }, ...buttons)];
    }
    default: return [el("p", { class: "text muted" }, t.unsupported)];
  }
};

// One bubble with its time and, on the visitor's side, how far it came: `sending`, `sent` or `failed`.
const bubble = (item, t, language, choose, retry) => {
  const own = item.from === "visitor";
  const time = new Date(item.at).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
  const meta = el("span", { class: "meta" }, time);
  if (own) {
    const state = item.state || "sent";
    const mark = el("span", { class: `mark ${state}`, title: t[state], role: "img", "aria-label": t[state] });
    mark.append(icon(state === "sending" ? "clock" : "tick"));
    meta.append(state === "failed" ? el("button", { type: "button", class: "retry", onclick: retry }, t.failed) : mark);
  }
  const plain = item.content.type === "media" && ["image", "sticker"].includes(item.content.kind) ? " bare" : "";
  const who = el("span", { class: "hidden" }, `${own ? t.you : t.agent}: `);
  const body = bodyOf(item.content, item.media_url, t, choose);
  return el("div", { class: `bubble ${own ? "own" : "theirs"}${plain}` }, who, ...body, meta);
};
