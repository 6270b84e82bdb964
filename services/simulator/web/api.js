// The simulator's own routes.

async function call(method, path, body) {
  const form = body instanceof FormData;
  const answer = await fetch(path, {
    method,
    headers: body && !form ? { 'content-type': 'application/json' } : {},
    body: form ? body : body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error((await answer.text()) || answer.statusText);
  return answer.status === 204 ? null : answer.json();
}

const at = ({ channel, address, account }, rest = '') =>
  `/sim/customers/${channel}/${encodeURIComponent(address)}${rest}?account=${encodeURIComponent(account)}`;

export const customers = () => call('GET', '/sim/customers');
export const settings = (who, changes) => call('PUT', at(who), changes);
export const write = (who, deed) => call('POST', at(who, '/messages'), deed);
export const markRead = (who) => call('POST', at(who, '/read'));
export const faults = () => call('GET', '/sim/faults');
export const setFaults = (faults) => call('PUT', '/sim/faults', faults);
export const log = (provider) => call('GET', `/sim/${provider}/log`);

export function upload(who, file, kind, caption = '') {
  const form = new FormData();
  form.append('kind', kind);
  form.append('caption', caption);
  form.append('file', file);
  return call('POST', at(who, '/messages'), form);
}

/** The chat now and what changes in it. Answers how to stop. */
export function watch(who, { chat, message, changed, lost }) {
  const source = new EventSource(at(who, '/events'));
  for (const [name, take] of Object.entries({ chat, message, changed })) {
    source.addEventListener(name, (event) => take(JSON.parse(event.data)));
  }
  source.onerror = () => lost(true);
  source.onopen = () => lost(false);
  return () => source.close();
}
