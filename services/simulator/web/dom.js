// Elements without a framework. Text is always text: nothing here parses HTML.

/** `el('button.send', { type: 'button', onclick }, 'Send', child)` */
export function el(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split('.');
  const element = document.createElement(tag || 'div');
  element.className = classes.join(' ');
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name.startsWith('aria-')) element.setAttribute(name, String(value));
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (name in element && typeof value !== 'string') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const PATHS = {
  back: 'M15 5l-7 7 7 7', send: 'M4 12l16-7-6 16-3-7-7-2z', plus: 'M12 5v14M5 12h14',
  eye: 'M2 12s4-6 10-6 10 6 10 6-4 6-10 6-10-6-10-6z M12 14.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z',
  image: 'M4 5h16v14H4z M4 16l5-5 4 4 2-2 5 4', file: 'M6 3h8l4 4v14H6z M14 3v4h4',
  audio: 'M12 4v9a3 3 0 1 1-2-2.800 M12 4l6 2v3l-6-2', location: 'M12 21s7-6.500 7-11.500a7 7 0 0 0-14 0C5 14.500 12 21 12 21z M12 12a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z',
  contact: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z M4 21c0-4 4-6 8-6s8 2 8 6', unknown: 'M9 9a3 3 0 1 1 4 3c-1 .500-1 1-1 2 M12 18v.100',
  reply: 'M9 7L4 12l5 5 M4 12h9c4 0 7 2 7 6', close: 'M6 6l12 12M18 6L6 18', sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500L19 19M19 5l-1.500 1.500M6.500 17.500L5 19',
};

/** A line icon. */
export function icon(name, size = 20) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [key, value] of Object.entries({ viewBox: '0 0 24 24', width: size, height: size, 'aria-hidden': true })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
