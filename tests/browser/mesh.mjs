// Boots the product for a browser test: the real binary on a spare port and a temporary folder, ended by its own id.
// What customers do goes through the provider's webhook (`hook`) or the simulator's phones (`phone`).
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { phoneOf } from "./phone.mjs";

const BINARY = process.env.AFLUENTE_BIN ?? new URL("../../target/debug/afluente", import.meta.url).pathname;

const sparePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts the binary; resolves when it says who may sign in, which is when it is ready. */
async function boot(port, data) {
  const child = spawn(BINARY, ["dev", "--port", String(port), "--data", data], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, RUST_LOG: process.env.RUST_LOG ?? "error" },
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const [email, password] = await new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`afluente dev ended with ${code}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("sign-in: ")) resolve(line.split(" ").slice(1));
    });
  });
  const end = async (signal) => {
    child.kill(signal);
    await ended;
  };
  return { email, password, end };
}

export async function startMesh() {
  const folder = mkdtempSync(join(tmpdir(), "afluente-browser-"));
  const data = join(folder, "data");
  const port = await sparePort();
  const url = `http://127.0.0.1:${port}`;
  let running = await boot(port, data);
  let accounts = null;
  const account = (name) => {
    accounts ??= JSON.parse(
      execFileSync(BINARY, ["account", "list", "--json", "--data", data], { encoding: "utf8" }),
    );
    return accounts.find((one) => one.name === name);
  };
  const post = async (name, body) => {
    const { hook_url, secret_header, secret } = account(name);
    const headers = { "content-type": "application/json", [secret_header]: secret };
    const answer = await fetch(hook_url, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(`the hook answered ${answer.status}`);
  };
  const send = async (method, path, body) => {
    const headers = body instanceof FormData ? {} : { "content-type": "application/json" };
    const answer = await fetch(url + path, { method, headers, body: body instanceof FormData ? body : JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.status === 204 ? null : answer.json();
  };
  return {
    url,
    email: running.email,
    password: running.password,
    /** A webhook as the provider would call it. */
    hook: (name, body) => post(name, JSON.stringify(body)),
    /** A call with the provider's secret and a body of any kind. */
    rawHook: post,
    /** A customer's phone at the simulated provider. */
    phone: (channel, address, name) => phoneOf(url, send, channel, address, name),
    /** The named providers get these faults and no others. */
    faults: (faults) => send("PUT", "/sim/faults", faults),
    /** The provider's templates, as it lists them. */
    templates: async () => (await (await fetch(`${url}/sim/gupshup/templates`)).json()).templates,
    /** The provider brings one of them to another state, and tells the mesh. */
    setTemplate: (id, status) => send("PUT", `/sim/gupshup/templates/${id}`, { status }),
    /** Ends the process the hard way: nothing is drained. */
    kill: () => running.end("SIGKILL"),
    /** The same port, the same data. */
    restart: async () => {
      running = await boot(port, data);
    },
    stop: async () => {
      await running.end("SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

let counter = 0;
/** Gupshup's second envelope with a message of `type`. */
export const whatsapp = (from, type, payload, name) => ({
  app: "LojaDemo", timestamp: Date.now(), version: 2, type: "message",
  payload: {
    id: `wamid.browser.${Date.now()}.${(counter += 1)}`, source: from, type, payload,
    sender: { phone: from, name, country_code: "55", dial_code: from.slice(2) },
  },
});
export const whatsappText = (from, text, name) => whatsapp(from, "text", { text }, name);
