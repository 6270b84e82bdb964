// A day at the desk. Each title begins with the behaviours that it shows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, Desk, startBrowser } from "./desk.mjs";
import { startMesh } from "./mesh.mjs";

let mesh, browser, ana, bruno;

before(async () => {
  mesh = await startMesh();
  browser = await startBrowser();
  ana = await Desk.signIn(browser, mesh);
  await ana.page.evaluate(() => {
    const create = AudioContext.prototype.createOscillator;
    window.tones = [];
    AudioContext.prototype.createOscillator = function () {
      window.tones.push(Date.now());
      return create.call(this);
    };
  });
});
after(async () => {
  await browser?.close();
  await mesh?.stop();
});

test("AG-1 CH-1 CH-11 a WhatsApp customer is counted, taken, answered, and the ticks move", async () => {
  const customer = mesh.phone("whatsapp", "5511900000001", "Maria Silva");
  await customer.set({ reading: false });
  const before = await ana.count("whatsapp");
  await customer.writes("meu pedido não chegou");
  await ana.showsCount("whatsapp", before + 1);
  assert.match(await ana.waiting("Maria Silva").innerText(), /meu pedido não chegou[\s\S]*Atendimento/);
  await ana.take("Maria Silva");
  await ana.showsCount("whatsapp", before);
  await ana.message("meu pedido não chegou").waitFor();
  await ana.reply("Olá Maria, já vou ver.");
  await customer.hears("Olá Maria, já vou ver.");
  const tick = (state) => ana.message("já vou ver").locator(`[data-testid=tick][data-tick=${state}]`).waitFor();
  await tick("two");
  await customer.set({ reading: true });
  await tick("read");
});

test("AG-1 CH-5 a Telegram customer is served on the same desk, with the ticks that Telegram can tell", async () => {
  const customer = mesh.phone("telegram", "700200300", "Joana Prado");
  await customer.writes("oi, vocês abrem hoje?");
  await ana.showsCount("telegram", 1);
  await ana.take("Joana Prado");
  await ana.showsCount("telegram", 0);
  await ana.reply("Abrimos às 9h.");
  await customer.hears("Abrimos às 9h.");
  await ana.message("Abrimos às 9h.").locator("[data-testid=tick][data-tick=one]").waitFor();
});

test("AG-7 a new message in a hidden tab counts in the title, sounds, and is told to screen readers", async () => {
  const { page } = ana;
  const customer = mesh.phone("whatsapp", "5511900000002", "Bia Nunes");
  await customer.writes("bom dia");
  await ana.take("Bia Nunes");
  // The desk sounds at most once a second: the sound of the waiting list must be over.
  await page.waitForFunction(() => document.title === "Afluente" && Date.now() - (window.tones.at(-1) ?? 0) > 1000);
  const hidden = await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { get: () => window.seen ?? "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
    return Date.now();
  });
  await customer.writes("está aí?");
  await page.waitForFunction((since) => document.title === "(1) Afluente" && window.tones.at(-1) >= since, hidden);
  assert.match(await ana.id("announcement").textContent(), /Bia Nunes.*está aí\?/);
  assert.equal(await ana.listed("Bia Nunes").getByTestId("unread").innerText(), "1");
  await page.evaluate(() => {
    window.seen = "visible";
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForFunction(() => document.title === "Afluente");
});

test("CH-14 CH-15 a contact card is saved in one click, a place opens on a map, an unknown kind says its name", async () => {
  const customer = mesh.phone("whatsapp", "5511900000003", "Lia Rocha");
  await customer.writes("veja");
  await ana.take("Lia Rocha");
  await customer.sendsCard("João Pereira", "+5511988887777");
  await customer.shares(-23.55052, -46.63331, "Praça da Sé");
  await customer.sendsUnknown("order");
  const card = ana.id("contact-card").filter({ hasText: "João Pereira" });
  assert.match((await card.innerText()).replace(/\D/g, ""), /11988887777/);
  await card.getByTestId("save-contact").click();
  await card.locator("[data-testid=save-contact][data-state=saved]").waitFor();
  const link = ana.id("location").filter({ hasText: "Praça da Sé" }).getByTestId("map-link");
  assert.match(await link.getAttribute("href"), /-23\.55052.*-46\.63331/);
  assert.match(await link.getAttribute("rel"), /noopener/);
  await ana.id("unsupported").filter({ hasText: "order" }).waitFor();
});

test("AG-8 X-6 a conversation goes to another agent, comes back to the queue, and is concluded", async () => {
  bruno = await Desk.signIn(browser, mesh, "bruno@demo.example");
  const customer = mesh.phone("whatsapp", "5511900000006", "Caio Melo");
  await customer.writes("quero trocar de plano");
  await ana.take("Caio Melo");
  await ana.id("transfer").click();
  await ana.id("transfer-agent").filter({ hasText: "Bruno Lima" }).click();
  await ana.listed("Caio Melo").waitFor({ state: "detached" });

  await bruno.tab("active");
  await bruno.listed("Caio Melo").click();
  await bruno.message("trocar de plano").waitFor();
  await bruno.id("why").click();
  assert.match(await bruno.id("why-detail").innerText(), /Transferida por Ana Souza/);
  await bruno.page.keyboard.press("Escape");
  await bruno.reply("Assumi seu caso.");
  await customer.hears("Assumi seu caso.");
  await bruno.id("return").click();

  await ana.take("Caio Melo");
  await ana.message("Assumi seu caso.").waitFor();
  await ana.conclude();
  await ana.listed("Caio Melo").waitFor({ state: "detached" });
  await bruno.tab("active");
  await bruno.listed("Caio Melo").waitFor({ state: "detached" });

  await customer.writes("mais uma coisa");
  await ana.tab("waiting");
  await ana.waiting("Caio Melo").filter({ hasText: "mais uma coisa" }).waitFor();
});

test("no page complained", () => assertQuiet(ana.page, bruno?.page));
