// The visitor's side of the webchat, on the demo page, with an agent at the desk.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, Desk, openPage, startBrowser } from "./desk.mjs";
import { sunset } from "./image.mjs";
import { startMesh } from "./mesh.mjs";

let mesh, browser, ana, site;

before(async () => {
  mesh = await startMesh();
  browser = await startBrowser();
  ana = await Desk.signIn(browser, mesh);
  site = await openPage(browser, { viewport: { width: 1100, height: 760 } });
});
after(async () => {
  await browser?.close();
  await mesh?.stop();
});

const panel = () => site.getByRole("dialog");
const write = async (text) => {
  await panel().getByRole("textbox", { name: "Escreva uma mensagem…" }).fill(text);
  await site.keyboard.press("Enter");
};
const bubble = (text) => panel().locator(".bubble").filter({ hasText: text });

test("CH-9 CH-11 a visitor gives name and e-mail, is served, and the desk sees that they read", async () => {
  await site.goto(`${mesh.url}/webchat/demo`);
  await site.getByRole("button", { name: "Fale com a gente" }).last().click();
  await panel().getByRole("button", { name: "Iniciar conversa" }).click();
  await panel().getByText("Por favor, diga seu nome.").waitFor();
  await panel().getByLabel("Seu nome").fill("Clara Dias");
  await panel().getByLabel("E-mail").fill("não é um e-mail");
  await panel().getByLabel("E-mail").press("Enter");
  await panel().getByText("Por favor, informe um e-mail válido.").waitFor();
  await panel().getByLabel("E-mail").fill("clara@example.com");
  await panel().getByLabel("E-mail").press("Enter");
  await write("vocês entregam no domingo?");
  await bubble("domingo").locator(".mark.sent").waitFor();

  await ana.waiting("Clara Dias").filter({ hasText: "clara@example.com" }).waitFor();
  await ana.showsCount("webchat", 1);
  await ana.take("Clara Dias");
  await ana.message("domingo").waitFor();
  await ana.reply("Entregamos sim!");
  await bubble("Entregamos sim!").waitFor();
  await ana.inState("Entregamos sim!", "read");
});

test("CH-9 after a reload the visitor is where they were, and hears what was said meanwhile", async () => {
  await site.goto("about:blank");
  await ana.reply("Até as 18h.");
  await ana.message("Até as 18h.").locator("[data-testid=tick][data-tick=one]").waitFor();
  await site.goto(`${mesh.url}/webchat/demo`);
  await bubble("domingo").waitFor();
  await bubble("Até as 18h.").waitFor();
  assert.equal(await panel().locator(".bubble").count(), 3, "each once, and nobody is asked for the name again");
  await ana.inState("Até as 18h.", "read");
  await write("obrigada!");
  await ana.message("obrigada!").waitFor();
});

test("CH-13 CH-9 the visitor's image is shown at the desk, and the agent's files in the widget", async () => {
  const picture = sunset(200, 140);
  await panel().locator("input[type=file]").setInputFiles({ name: "sala.png", mimeType: "image/png", buffer: picture });
  const shown = ana.id("image").last().locator("img");
  assert.equal(await shown.evaluate((image) => image.decode().then(() => image.naturalWidth)), 200);
  await ana.id("file-input").setInputFiles([
    { name: "catalogo.pdf", mimeType: "application/pdf", buffer: Buffer.from("%PDF-1.4\n%%EOF\n") },
    { name: "luz.png", mimeType: "image/png", buffer: picture },
  ]);
  await ana.page.locator("[data-testid=attachment][data-state=done]").nth(1).waitFor();
  await ana.id("send").click();
  await bubble("catalogo.pdf").waitFor();
  const images = panel().locator(".bubble.theirs img");
  assert.equal(await images.last().evaluate((image) => image.decode().then(() => image.naturalWidth)), 200);
});

test("CH-9 the widget is used by keyboard alone, and says how many messages wait while it is closed", async () => {
  await panel().getByRole("textbox", { name: "Escreva uma mensagem…" }).focus();
  await site.keyboard.press("Escape");
  await panel().waitFor({ state: "hidden" });
  await ana.reply("posso ajudar em algo mais?");
  const launcher = site.getByRole("button", { name: /1 mensagens não lidas/ });
  await launcher.waitFor();
  await site.keyboard.press("Enter");
  await bubble("algo mais").waitFor();
  await ana.inState("algo mais", "read");
  await site.keyboard.type("não, é só isso");
  await site.keyboard.press("Enter");
  await ana.message("não, é só isso").waitFor();
});

test("no page complained", () => assertQuiet(ana.page, site));
