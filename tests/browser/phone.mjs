// A customer's phone at the simulated provider: what they do, and what their screen shows.
import assert from "node:assert/strict";

export const PATIENCE = 20_000;

/** Asks until `found` answers something; there is no event to wait for in a plain HTTP call. */
export async function until(what, found) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const answer = await found();
    if (answer) return answer;
    assert.ok(Date.now() < deadline, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

export function phoneOf(url, send, channel, address, name) {
  const at = (rest = "") => `/sim/customers/${channel}/${address}${rest}`;
  const named = send("PUT", at(), { name });
  const deed = async (body) => {
    await named;
    return send("POST", at("/messages"), body);
  };
  const bubbles = async () => (await (await fetch(url + at())).json()).bubbles;
  const received = async () => (await bubbles()).filter((bubble) => !bubble.mine);
  return {
    writes: (text) => deed({ type: "text", text }),
    shares: (latitude, longitude, place) => deed({ type: "location", latitude, longitude, name: place, address: null }),
    sendsCard: (who, number) => deed({ type: "contact", name: who, phone: number }),
    taps: (message, payload) => deed({ type: "tap", message, payload }),
    sendsUnknown: (kind) => deed({ type: "unknown", kind }),
    sendsFile: (bytes, file, type, caption = "") => {
      const form = new FormData();
      form.append("file", new Blob([bytes], { type }), file);
      form.append("caption", caption);
      return deed(form);
    },
    set: async (settings) => {
      await named;
      return send("PUT", at(), settings);
    },
    received,
    /** The first that says `text`, when it is there. */
    hears: (text) => until(`“${text}” on the phone`, async () => (await received()).find(({ says }) => says.text === text)),
    /** As many files as wished for, when they are there, with their bytes. */
    gets: async (count) => {
      const found = await until(`${count} files on the phone`, async () => {
        const files = (await received()).filter(({ says }) => says.kind === "media");
        return files.length >= count && files;
      });
      return Promise.all(
        found.map(async ({ says }) => ({ ...says, bytes: Buffer.from(await (await fetch(new URL(says.url, url))).arrayBuffer()) })),
      );
    },
  };
}
