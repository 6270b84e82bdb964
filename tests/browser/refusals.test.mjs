// When something may not or cannot go out, the desk says so in words.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, Desk, startBrowser } from "./desk.mjs";
import { startMesh, whatsappText } from "./mesh.mjs";
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

test("CH-12 a refused message turns red, says why in words and on hover, and a retry delivers it", async () => {
  const customer = mesh.phone("whatsapp", "5511900000021", "Pedro Alves");
  await customer.writes("oi");
  await ana.take("Pedro Alves");
  await mesh.faults({ gupshup: { reject_next: 1, reject_reason: "Invalid Destination" } });
  await ana.reply("isto vai falhar");
  await ana.inState("isto vai falhar", "failed");
  const failed = ana.message("isto vai falhar");
  const reason = failed.getByTestId("failed-reason");
  assert.equal(await reason.innerText(), "O provedor recusou a mensagem.");
  const [red, green, blue] = await reason.evaluate((node) => getComputedStyle(node).color.match(/\d+/g).map(Number));
  assert.ok(red > 2 * green && red > 2 * blue, `rgb(${red}, ${green}, ${blue}) is red`);
  await reason.hover();
  await ana.page.getByRole("tooltip").filter({ hasText: "Invalid Destination" }).waitFor();
  await failed.getByTestId("retry").click();
  await customer.hears("isto vai falhar");
  await ana.inState("isto vai falhar", "read");
  assert.equal(await failed.count(), 1, "the same message, not a second one");
});

test("CH-12 a message that fails after the provider accepted it turns red with the provider's words", async () => {
  const customer = mesh.phone("whatsapp", "5511900000022", "Sara Pinto");
  await customer.writes("oi");
  await ana.take("Sara Pinto");
  await mesh.faults({ gupshup: { fail_next: 1, fail_reason: "Number Does Not Exists On WhatsApp" } });
  await ana.reply("falha depois");
  await ana.inState("falha depois", "failed");
  await ana.message("falha depois").getByTestId("failed-reason").hover();
  await ana.page.getByRole("tooltip").filter({ hasText: "Does Not Exists" }).waitFor();
});

test("SES-1 outside the 24-hour window the composer says why it is closed, and nothing can be sent", async () => {
  const late = whatsappText("5511900000023", "isso foi ontem", "Rui Castro");
  late.timestamp = Date.now() - 25 * 3_600_000;
  await mesh.hook("demo-whatsapp", late);
  await ana.take("Rui Castro");
  await ana.page.locator("[data-testid=window-chip][data-state=closed]").waitFor();
  assert.match(await ana.id("window-closed").innerText(), /24 horas[\s\S]*modelo[\s\S]*Última mensagem do contato/);
  await ana.id("composer").fill("mesmo assim");
  assert.equal(await ana.id("send").isDisabled(), true);
  await ana.id("composer").press("Enter");
  await mesh.hook("demo-whatsapp", whatsappText("5511900000023", "voltei", "Rui Castro"));
  await ana.page.locator("[data-testid=window-chip][data-state=open]").waitFor();
  await ana.id("window-closed").waitFor({ state: "detached" });
  assert.equal(await ana.id("composer").inputValue(), "mesmo assim", "what was typed is still there");
  assert.equal(await ana.message("mesmo assim").count(), 0);
});

test("SES-1 SES-8 free text that the window refuses ends in the templates, and one goes out with its ticks", async () => {
  // The contact wrote 24 h and 10 min ago; the agent's clock is an hour slow, so the page still offers free text.
  const slow = await Desk.signIn(browser, mesh, "bruno@demo.example");
  await slow.page.clock.install({ time: Date.now() - 3_600_000 });
  await slow.page.reload();
  await slow.connected();
  const customer = mesh.phone("whatsapp", "5511900000027", "Clara Nunes");
  const late = whatsappText("5511900000027", "preciso de ajuda", "Clara Nunes");
  late.timestamp = Date.now() - 24 * 3_600_000 - 600_000;
  await mesh.hook("demo-whatsapp", late);
  await slow.take("Clara Nunes");
  await slow.reply("oi Clara, vamos ver isso");
  await slow.id("template-refused").waitFor();
  assert.equal(await slow.message("vamos ver isso").count(), 0);
  assert.deepEqual(await customer.received(), [], "nothing went out");
  await slow.id("template-search").fill("retomar");
  await slow.page.locator("[data-testid=template-option][data-language=pt_BR]").click();
  const preview = slow.id("template-preview");
  await slow.id("template-send").click();
  assert.equal(await slow.page.getByText("Preencha este campo.").count(), 2, "the values are asked for");
  await slow.id("template-value").nth(0).fill("Clara");
  await slow.id("template-value").nth(1).fill("Bruno");
  assert.match(await preview.innerText(), /Olá, Clara! Aqui é Bruno, da Loja Demo\./);
  await slow.id("template-value").nth(1).press("Enter");
  await slow.id("template-picker").waitFor({ state: "detached" });
  await slow.inState("Olá, Clara! Aqui é Bruno", "read");
  assert.equal(await slow.id("composer").inputValue(), "oi Clara, vamos ver isso", "the text waits as a draft");
  const [heard] = await customer.received();
  assert.equal(heard.says.kind, "template");
  assert.match(heard.says.text, /^Olá, Clara! Aqui é Bruno/);
  assert.deepEqual(heard.says.buttons.map((button) => button.label), ["Podemos, sim", "Agora não"]);
  await customer.taps(heard.id, "Podemos, sim");
  await slow.message("Podemos, sim").waitFor();
  assertQuiet(slow.page);
  await slow.page.context().close();
});

test("SES-8 a template that the provider pauses is offered no more, by keyboard alone", async () => {
  const late = whatsappText("5511900000028", "e o meu pedido?", "Davi Melo");
  late.timestamp = Date.now() - 30 * 3_600_000;
  await mesh.hook("demo-whatsapp", late);
  await ana.take("Davi Melo");
  await ana.id("closed-templates").click();
  await ana.id("template-search").fill("pedido pronto");
  const [id] = (await mesh.templates()).filter((one) => one.elementName === "pedido_pronto").map((one) => one.id);
  await ana.id("template-search").press("Enter");
  for (const value of ["Davi", "42", "18h"]) {
    await ana.page.keyboard.type(value);
    await ana.page.keyboard.press("Enter");
  }
  await mesh.setTemplate(id, "paused");
  const offered = () =>
    ana.page.evaluate(async () => {
      const at = `/api/v1/conversations/${location.hash.split("/").pop()}/templates`;
      return (await (await fetch(at)).json()).items.map(({ name }) => name);
    });
  await until("the mesh to know", async () => !(await offered()).includes("pedido_pronto"));
  await ana.page.keyboard.type("42");
  await ana.page.keyboard.press("Control+Enter");
  const unsent = ana.id("unsent").filter({ hasText: "O pedido 42" });
  await unsent.waitFor();
  assert.match(await unsent.innerText(), /O modelo não pode ser enviado agora/);
  await ana.id("template-picker").waitFor({ state: "detached" });
  // Out of the field, if the focus has come back to one: there a letter is a letter.
  await ana.page.evaluate(() => document.activeElement.blur());
  await ana.page.keyboard.press("m");
  await ana.id("template-search").fill("pedido pronto");
  await ana.page.getByText("Nada encontrado").waitFor();
  await ana.page.keyboard.press("Escape");
  await ana.id("template-picker").waitFor({ state: "detached" });
  await mesh.setTemplate(id, "approved");
});

test("SES-5 after an opt-out the reply is refused in words, and opting in again lets it go", async () => {
  const customer = mesh.phone("whatsapp", "5511900000024", "Vera Luz");
  await customer.writes("oi");
  await ana.take("Vera Luz");
  await customer.writes("DESCADASTRAR");
  await ana.message("DESCADASTRAR").waitFor();
  await ana.reply("só mais uma coisa");
  const unsent = ana.id("unsent").filter({ hasText: "só mais uma coisa" });
  await unsent.waitFor();
  assert.match(await unsent.innerText(), /Este contato pediu para não receber mensagens\./);
  assert.deepEqual(await customer.received(), []);
  await customer.writes("START");
  await ana.message("START").waitFor();
  await unsent.getByTestId("unsent-retry").click();
  await customer.hears("só mais uma coisa");
  await unsent.waitFor({ state: "detached" });
});

test("no page complained", () => assertQuiet(ana.page));
