// What could not go on, as a supervisor sees it: by cause, one by one, and decided once.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, Desk, startBrowser } from "./desk.mjs";
import { startMesh } from "./mesh.mjs";
import { ParkedPage } from "./parked.mjs";
import { until } from "./phone.mjs";

let mesh, browser, ana, parked;

before(async () => {
  mesh = await startMesh();
  browser = await startBrowser();
  ana = await Desk.signIn(browser, mesh);
  parked = new ParkedPage(ana, mesh);
});
after(async () => {
  await browser?.close();
  await mesh?.stop();
});

test("X-2 nothing is parked, and the page says so", async () => {
  await parked.open();
  await ana.page.getByText("Nada está retido").waitFor();
  await parked.shows(0);
});

test("X-2 malformed calls appear by themselves under one cause, with their words and without secrets", async () => {
  for (const body of ['{"app": oops', '{"app": again', "neither"]) await mesh.rawHook("demo-whatsapp", body);
  await parked.shows(3);
  const group = parked.cause("webhook_malformed");
  await group.getByTestId("parked-cause-count").getByText("3", { exact: true }).waitFor();
  assert.match(await group.innerText(), /chamada do provedor/i);
  await parked.first("webhook_malformed");
  assert.match(await ana.id("parked-body").innerText(), /neither|"app"/);
  assert.match(await ana.id("parked-detail").innerText(), /webhook:whatsapp:demo-whatsapp/);
});

test("X-2 one goes on its way again and comes back while it is not mended, a group after a question", async () => {
  await ana.id("redrive-one").click();
  await ana.id("parked-history").getByText("Posta a caminho").waitFor();
  // It still cannot be read: the hook parks it again, and it waits as before.
  await ana.page.locator("[data-testid=parked-state][data-state=waiting]").waitFor();
  await parked.shows(3);
  await parked.cause("webhook_malformed").getByTestId("redrive-group").click();
  await ana.page.getByRole("dialog").getByText("3 mensagens seguem").waitFor();
  await ana.id("redrive-confirm").click();
  await ana.page.getByText("3 mensagens estão a caminho").waitFor();
  await until("all are back", async () => (await ana.id("parked-history").getByText("Posta a caminho").count()) === 2);
  await parked.shows(3);
});

test("X-2 what is discarded needs a reason and is kept with it", async () => {
  await parked.first("webhook_malformed");
  await ana.id("discard-one").click();
  assert.equal(await ana.id("parked-confirm").isDisabled(), true);
  await ana.id("parked-reason").fill("um teste nosso");
  await ana.id("parked-confirm").click();
  await ana.page.locator("[data-testid=parked-state][data-state=ended]").waitFor();
  await ana.id("parked-history").getByText("um teste nosso").waitFor();
  await parked.shows(2);
  await ana.id("parked-standing").getByText("Encerradas").click();
  await ana.id("parked-row").first().waitFor();
  assert.equal(await ana.id("parked-row").count(), 1);
  await ana.id("parked-standing").getByText("Esperando").click();
});

test("X-2 a send in doubt asks: it arrived, and nothing goes out", async () => {
  const customer = await parked.doubtful("5511900000061", "Nina Prado", "chegou ou não?");
  await parked.open();
  await parked.first("in_doubt");
  assert.equal(await ana.id("redrive-one").count(), 0, "it is decided, never just redriven");
  assert.match(await ana.id("parked-provider-code").innerText(), /504/);
  await ana.id("decide-arrived").click();
  await ana.id("parked-history").getByText("Dada como recebida").waitFor();
  await ana.id("parked-conversation").click();
  await ana.inState("chegou ou não?", "sent");
  await ana.reply("e esta?");
  await customer.hears("e esta?");
  assert.deepEqual((await customer.received()).map(({ says }) => says.text), ["e esta?"]);
});

test("X-2 a send in doubt goes again after a question, once", async () => {
  const customer = await parked.doubtful("5511900000062", "Otto Reis", "de novo, por favor");
  await parked.open();
  await parked.first("in_doubt");
  await ana.id("decide-again").click();
  await ana.page.getByRole("dialog").getByText("duas vezes").waitFor();
  await ana.id("parked-confirm").click();
  await customer.hears("de novo, por favor");
  await ana.page.locator("[data-testid=parked-state][data-state=redriven]").waitFor();
  assert.equal((await customer.received()).length, 1);
});

test("X-2 of two supervisors the second hears that it was decided, and sees it as it is", async () => {
  await parked.doubtful("5511900000063", "Pia Moura", "quem decide?");
  await parked.open();
  await parked.first("in_doubt");
  const late = await Desk.signIn(browser, mesh);
  await late.page.goto(ana.page.url());
  await late.id("decide-failed").waitFor();
  // Her page does not hear of the first decision before her own click is on its way.
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  await late.page.route("**/decision", async (route) => {
    await held;
    await route.continue();
  });
  await late.id("decide-failed").click();
  await late.id("parked-reason").fill("ela não recebeu");
  await late.id("parked-confirm").click();
  await ana.id("decide-arrived").click();
  await ana.id("parked-history").getByText("Dada como recebida").waitFor();
  release();
  await late.page.locator("[data-testid=toast-error][data-code=already_decided]").waitFor();
  await late.id("parked-history").getByText("Dada como recebida").waitFor();
  await late.page.context().close();
});

/** How often each that waits was sent on its way, as the desk keeps it: by the name of its account. */
async function redriven() {
  const counts = {};
  for (const { item, decisions } of await parked.kept()) {
    const name = item.in_doubt ? "in doubt" : item.account.name;
    (counts[name] ??= []).push(decisions.filter(({ ruling }) => ruling === "redrive").length);
  }
  for (const count of Object.values(counts)) count.sort();
  return counts;
}
const becomes = (wanted) =>
  until(JSON.stringify(wanted), async () => JSON.stringify(Object.entries(await redriven()).sort()) === JSON.stringify(Object.entries(wanted).sort()));

test("X-2 redrive all sends every group on its way after a question, and those in doubt stay", async () => {
  await mesh.rawHook("demo-telegram", "no update at all");
  const customer = await parked.doubtful("5511900000064", "Raul Pinto", "fico onde estou");
  await parked.open();
  await parked.shows(4);
  const before = await redriven();
  assert.deepEqual([before["demo-whatsapp"].length, before["demo-telegram"], before["in doubt"]], [2, [0], [0]]);
  await ana.id("redrive-all").click();
  await parked.dialog().getByText("3 mensagens seguem").waitFor();
  await parked.dialog().getByRole("button", { name: "Cancelar" }).click();
  await parked.dialog().waitFor({ state: "detached" });
  assert.deepEqual(await redriven(), before, "it was only asked");

  await ana.id("redrive-all").click();
  await ana.id("redrive-confirm").click();
  await ana.page.getByText("3 mensagens estão a caminho").waitFor();
  // None of them can be read yet: each comes back as the same, with one decision more.
  await becomes({ "demo-whatsapp": before["demo-whatsapp"].map((count) => count + 1), "demo-telegram": [1], "in doubt": [0] });
  await parked.shows(4);
  assert.deepEqual(await customer.received(), [], "the one in doubt went nowhere");
});

test("X-2 redrive all sends only what the filter shows", async () => {
  const telegram = parked.cause("webhook_malformed", "Telegram da loja");
  const narrow = async (name) => {
    await ana.id("parked-filter").click();
    await ana.page.getByRole("menuitem", { name, exact: true }).click();
    await ana.page.getByRole("menu").waitFor({ state: "detached" });
  };
  const before = await redriven();
  await narrow("WhatsApp");
  await telegram.waitFor({ state: "detached" });
  await ana.id("redrive-all").click();
  await parked.dialog().getByText("2 mensagens seguem").waitFor();
  await ana.id("redrive-confirm").click();
  await ana.page.getByText("2 mensagens estão a caminho").waitFor();
  await becomes({ ...before, "demo-whatsapp": before["demo-whatsapp"].map((count) => count + 1) });
  await narrow("Todos os canais");
  await telegram.waitFor();
});

test("no page complained", () => assertQuiet(ana.page));
