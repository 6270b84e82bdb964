// Bad networks, double clicks and a killed server: nothing is lost, nothing is sent twice.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, Desk, startBrowser } from "./desk.mjs";
import { startMesh, whatsappText } from "./mesh.mjs";

let mesh, browser, ana;
/** The page's live connection; `cut` drops it and lets no new one through until `mend`. */
const line = { open: new Set(), down: false };
line.cut = async () => {
  line.down = true;
  for (const socket of line.open) await socket.close({ code: 1012 });
  line.open.clear();
};
line.mend = () => {
  line.down = false;
};

before(async () => {
  mesh = await startMesh();
  browser = await startBrowser();
  ana = await Desk.signIn(browser, mesh);
  await ana.page.routeWebSocket(/api\/v1\/events/, (socket) => {
    if (line.down) return socket.close({ code: 1012 });
    line.open.add(socket);
    socket.connectToServer();
  });
  await ana.page.reload();
  await ana.connected();
});
after(async () => {
  await browser?.close();
  await mesh?.stop();
});

/** What waits for the reply `last` has seen everything that went before it: order is kept. */
async function received(customer, last) {
  await ana.reply(last);
  await customer.hears(last);
  return (await customer.received()).map(({ says }) => says.text);
}

test("X-8 a double click on send over a slow network sends once", async () => {
  const customer = mesh.phone("whatsapp", "5511900000031", "Davi Rosa");
  await customer.writes("oi");
  await ana.take("Davi Rosa");
  let release;
  const slow = new Promise((resolve) => {
    release = resolve;
  });
  await ana.page.route("**/messages", async (route) => {
    if (route.request().method() === "POST") await slow;
    await route.continue();
  });
  await ana.id("composer").fill("uma vez só");
  await ana.id("send").dblclick();
  await ana.inState("uma vez só", "sending");
  release();
  await ana.page.unrouteAll({ behavior: "wait" });
  assert.deepEqual(await received(customer, "depois"), ["uma vez só", "depois"]);
  assert.equal(await ana.message("uma vez só").count(), 1);
});

test("X-8 a reply whose answer was lost is tried again with its key and sent once", async () => {
  const customer = mesh.phone("whatsapp", "5511900000032", "Enzo Maia");
  await customer.writes("oi");
  await ana.take("Enzo Maia");
  const keys = [];
  await ana.page.route("**/messages", async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    keys.push(route.request().headers()["idempotency-key"]);
    if (keys.length > 1) return route.continue();
    await route.fetch();
    await route.abort("connectionreset");
  });
  await ana.reply("a resposta se perdeu");
  await customer.hears("a resposta se perdeu");
  await ana.inState("a resposta se perdeu", "read");
  await ana.page.waitForFunction(() => localStorage.length >= 0 && !Object.keys(localStorage).some((key) => key.startsWith("afluente.outbox.")));
  await ana.page.unrouteAll({ behavior: "wait" });
  assert.deepEqual(await received(customer, "fim"), ["a resposta se perdeu", "fim"]);
  assert.equal(new Set(keys).size, 1);
  assert.ok(keys.length >= 2, "it was tried again");
});

test("X-9 a page whose connection was lost resumes from its last event and misses nothing", async () => {
  const customer = mesh.phone("whatsapp", "5511900000033", "Flora Dias");
  await customer.writes("primeira");
  await ana.take("Flora Dias");
  await line.cut();
  await ana.connecting();
  for (const n of [1, 2, 3]) await customer.writes(`enquanto estava fora ${n}`);
  await mesh.phone("telegram", "700200333", "Gil Ramos").writes("ninguém aí?");
  await ana.id("connection-banner").waitFor();
  assert.equal(await ana.message("enquanto estava fora").count(), 0);
  line.mend();
  await ana.id("connection-banner").getByRole("button").click();
  await ana.message("enquanto estava fora 3").waitFor();
  assert.deepEqual(
    await ana.message("enquanto estava fora").evaluateAll((all) => all.map((one) => one.innerText.match(/fora (\d)/)[1])),
    ["1", "2", "3"],
  );
  await ana.tab("waiting");
  await ana.waiting("Gil Ramos").waitFor();
  assert.equal(await ana.waiting("Gil Ramos").count(), 1);
});

test("AG-6 X-9 the server is killed and comes back: nothing typed or received is lost", async () => {
  const from = "5511900000034";
  await mesh.hook("demo-whatsapp", whatsappText(from, "antes da queda", "Hugo Sá"));
  await ana.take("Hugo Sá");
  await mesh.kill();
  await ana.connecting();
  await ana.reply("escrita durante a queda");
  await ana.inState("escrita durante a queda", "sending");
  await ana.id("composer").fill("um rascunho");
  await mesh.restart();
  await mesh.hook("demo-whatsapp", whatsappText(from, "depois da queda", "Hugo Sá"));
  await ana.message("depois da queda").waitFor();
  // The page tries again by itself for a while, and then leaves it to the agent.
  const unsent = ana.id("unsent-retry");
  const gone = ana.page.locator("[data-testid=message]:not([data-state=sending])").filter({ hasText: "escrita durante a queda" });
  await unsent.or(gone).first().waitFor();
  if (await unsent.isVisible()) await unsent.click();
  await gone.waitFor();
  assert.equal(await gone.count(), 1);
  assert.equal(await ana.id("composer").inputValue(), "um rascunho");
  await ana.page.reload();
  await ana.message("antes da queda").waitFor();
  await ana.message("depois da queda").waitFor();
  assert.equal(await ana.id("composer").inputValue(), "um rascunho", "a draft outlives the page");
});

test("no page complained", () => assertQuiet(ana.page));
