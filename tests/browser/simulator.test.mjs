// The phone-like page: one acts as the customer, with the provider misbehaving.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, Desk, openPage, startBrowser } from "./desk.mjs";
import { startMesh } from "./mesh.mjs";

let mesh, browser, ana, page;

before(async () => {
  mesh = await startMesh();
  browser = await startBrowser();
  ana = await Desk.signIn(browser, mesh);
  page = await openPage(browser);
  await page.goto(`${mesh.url}/simulator`);
});
after(async () => {
  await browser?.close();
  await mesh?.stop();
});

const phone = (channel) => page.locator(`.phone[data-channel=${channel}]`);
const writes = async (channel, text) => {
  await phone(channel).getByRole("textbox", { name: "Mensagem" }).fill(text);
  await page.keyboard.press("Enter");
};
const shows = (channel, text) => phone(channel).locator("article.theirs").filter({ hasText: text });
const drawer = () => page.locator(".drawer.open");
const fault = async (provider, name, value) => {
  if (!(await drawer().isVisible())) await page.getByRole("button", { name: "Falhas" }).click();
  await drawer().getByRole("button", { name: provider }).click();
  const field = drawer().locator(`[data-fault=${name}]`);
  await field.fill(String(value));
  await field.press("Enter");
  if (name.endsWith("_next")) await page.locator(".open-faults .count", { hasText: /[1-9]/ }).waitFor();
};

test("X-12 CH-1 one writes as the WhatsApp customer in the page, and the answer comes to the phone", async () => {
  await writes("whatsapp", "o pedido 1042 já saiu?");
  await ana.take("Alice Ramos");
  await ana.reply("Saiu hoje cedo.");
  await shows("whatsapp", "Saiu hoje cedo.").waitFor();
  await ana.inState("Saiu hoje cedo.", "read");
});

test("X-12 CH-12 with “refuse” switched on in the page the desk shows red, and off again the retry arrives", async () => {
  await fault("WhatsApp", "reject_next", 1);
  await ana.reply("chega até as 18h");
  await ana.inState("chega até as 18h", "failed");
  assert.equal(await shows("whatsapp", "chega até as 18h").count(), 0);
  await drawer().getByText("400").first().waitFor();
  await ana.message("chega até as 18h").getByTestId("retry").click();
  await shows("whatsapp", "chega até as 18h").waitFor();
});

test("X-12 CH-5 the Telegram customer writes; a busy provider (429) only delays the answer", async () => {
  await writes("telegram", "quero falar com alguém");
  await ana.take("Beto Nunes");
  await fault("Telegram", "retry_after", 1);
  await fault("Telegram", "throttle_next", 1);
  await ana.reply("Pois não, Beto?");
  await shows("telegram", "Pois não, Beto?").waitFor();
  assert.equal(await shows("telegram", "Pois não, Beto?").count(), 1);
  await page.keyboard.press("Escape");
  await drawer().waitFor({ state: "detached" });
});

test("X-12 CH-14 CH-15 the phone shares a place and a contact from its menu", async () => {
  const composer = phone("whatsapp").locator("form.composer");
  for (const [kind, seen] of [["Localização", "location"], ["Contato", "contact-card"]]) {
    await composer.getByRole("button", { name: "Anexar" }).click();
    await composer.getByRole("menuitem", { name: kind }).click();
    await composer.locator("dialog").getByRole("button", { name: "Enviar" }).click();
    await ana.tab("active");
    await ana.listed("Alice Ramos").click();
    await ana.id(seen).waitFor();
  }
});

test("X-12 SES-5 a customer who blocked the bot cannot be reached, and the desk says so", async () => {
  await ana.tab("active");
  await ana.listed("Beto Nunes").click();
  await phone("telegram").getByLabel("Bloqueou a empresa").check();
  await ana.reply("ainda está aí?");
  const refused = ana.id("unsent").or(ana.page.locator("[data-testid=message][data-state=failed]")).filter({ hasText: "ainda está aí?" });
  await refused.waitFor();
  assert.match(await refused.innerText(), /Este contato pediu para não receber mensagens\.|não existe no canal/);
});

test("X-12 the page speaks three languages and keeps the choice", async () => {
  await page.getByLabel("Idioma").selectOption("es");
  await page.getByRole("button", { name: "Fallas" }).waitFor();
  await page.getByLabel("Idioma").selectOption("en");
  await page.getByRole("button", { name: "Faults" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Faults" }).waitFor();
  await shows("whatsapp", "Saiu hoje cedo.").waitFor();
});

test("no page complained", () => assertQuiet(ana.page, page));
