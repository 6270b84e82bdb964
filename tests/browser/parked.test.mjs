// What could not go on, as a supervisor sees it: by cause, one by one, and decided once.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, Desk, startBrowser } from "./desk.mjs";
import { startMesh } from "./mesh.mjs";
import { until } from "./phone.mjs";

let mesh, browser, ana;

before(async () => {
  mesh = await startMesh();
  browser = await startBrowser();
  ana = await Desk.signIn(browser, mesh);
});
after(async () => {
  await browser?.close();
  await mesh?.stop();
});

const open = () => ana.id("nav-parked").click();
const cause = (code) => ana.page.locator(`[data-code=${code}]`).filter({ has: ana.id("parked-cause") });
const shows = (count) => ana.id("parked-count").getByText(String(count), { exact: true }).waitFor();
/** Opens a cause and the first of its messages. */
async function first(code) {
  const head = cause(code).getByTestId("parked-cause");
  if ((await head.getAttribute("aria-expanded")) === "false") await head.click();
  await cause(code).getByTestId("parked-row").first().click();
  await ana.page.locator("[data-testid=parked-state][data-state=waiting]").waitFor();
}
/** A reply whose answer the provider never gives. */
async function doubtful(address, name, text) {
  const customer = mesh.phone("whatsapp", address, name);
  await customer.writes("oi");
  await ana.id("channel-all").click();
  await ana.take(name);
  await mesh.faults({ gupshup: { hang_next: 1, hang_ms: 20 } });
  await ana.reply(text);
  await ana.inState(text, "parked");
  return customer;
}

test("X-2 nothing is parked, and the page says so", async () => {
  await open();
  await ana.page.getByText("Nada está retido").waitFor();
  await shows(0);
});

test("X-2 malformed calls appear by themselves under one cause, with their words and without secrets", async () => {
  for (const body of ['{"app": oops', '{"app": again', "neither"]) await mesh.rawHook("demo-whatsapp", body);
  await shows(3);
  const group = cause("webhook_malformed");
  await group.getByTestId("parked-cause-count").getByText("3", { exact: true }).waitFor();
  assert.match(await group.innerText(), /chamada do provedor/i);
  await first("webhook_malformed");
  assert.match(await ana.id("parked-body").innerText(), /neither|"app"/);
  assert.match(await ana.id("parked-detail").innerText(), /webhook:whatsapp:demo-whatsapp/);
});

test("X-2 one goes on its way again and comes back while it is not mended, a group after a question", async () => {
  await ana.id("redrive-one").click();
  await ana.id("parked-history").getByText("Posta a caminho").waitFor();
  // It still cannot be read: the hook parks it again, and it waits as before.
  await ana.page.locator("[data-testid=parked-state][data-state=waiting]").waitFor();
  await shows(3);
  await cause("webhook_malformed").getByTestId("redrive-group").click();
  await ana.page.getByRole("dialog").getByText("3 mensagens seguem").waitFor();
  await ana.id("redrive-confirm").click();
  await ana.page.getByText("3 mensagens estão a caminho").waitFor();
  await until("all are back", async () => (await ana.id("parked-history").getByText("Posta a caminho").count()) === 2);
  await shows(3);
});

test("X-2 what is discarded needs a reason and is kept with it", async () => {
  await first("webhook_malformed");
  await ana.id("discard-one").click();
  assert.equal(await ana.id("parked-confirm").isDisabled(), true);
  await ana.id("parked-reason").fill("um teste nosso");
  await ana.id("parked-confirm").click();
  await ana.page.locator("[data-testid=parked-state][data-state=ended]").waitFor();
  await ana.id("parked-history").getByText("um teste nosso").waitFor();
  await shows(2);
  await ana.id("parked-standing").getByText("Encerradas").click();
  await ana.id("parked-row").first().waitFor();
  assert.equal(await ana.id("parked-row").count(), 1);
  await ana.id("parked-standing").getByText("Esperando").click();
});

test("X-2 a send in doubt asks: it arrived, and nothing goes out", async () => {
  const customer = await doubtful("5511900000061", "Nina Prado", "chegou ou não?");
  await open();
  await first("in_doubt");
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
  const customer = await doubtful("5511900000062", "Otto Reis", "de novo, por favor");
  await open();
  await first("in_doubt");
  await ana.id("decide-again").click();
  await ana.page.getByRole("dialog").getByText("duas vezes").waitFor();
  await ana.id("parked-confirm").click();
  await customer.hears("de novo, por favor");
  await ana.page.locator("[data-testid=parked-state][data-state=redriven]").waitFor();
  assert.equal((await customer.received()).length, 1);
});

test("X-2 of two supervisors the second hears that it was decided, and sees it as it is", async () => {
  await doubtful("5511900000063", "Pia Moura", "quem decide?");
  await open();
  await first("in_doubt");
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

test("X-2 the keyboard alone goes through it", async () => {
  await ana.page.keyboard.press("1");
  await ana.page.keyboard.press("4");
  await ana.id("parked-cause").first().waitFor();
  await ana.page.keyboard.press("j");
  if ((await ana.id("parked-cause").first().getAttribute("aria-expanded")) === "false") await ana.page.keyboard.press("Enter");
  await ana.id("parked-row").first().waitFor();
  await ana.page.keyboard.press("j");
  await ana.page.keyboard.press("Enter");
  await ana.id("parked-detail").waitFor();
  await ana.page.keyboard.press("Escape");
  await ana.id("parked-detail").waitFor({ state: "detached" });
});

test("no page complained", () => assertQuiet(ana.page));
