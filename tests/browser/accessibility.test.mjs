// What axe finds on each page, in light and dark. Serious and critical findings fail.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, afterEach, before, test } from "node:test";
import { assertQuiet, Desk, openPage, startBrowser } from "./desk.mjs";
import { sunset } from "./image.mjs";
import { startMesh } from "./mesh.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let mesh, browser, ana;
const pages = [];
const found = [];

before(async () => {
  mesh = await startMesh();
  browser = await startBrowser();
  ana = await Desk.signIn(browser, mesh);
  pages.push(ana.page);
});
after(async () => {
  await browser?.close();
  await mesh?.stop();
});

// All that a test found, not only the first.
afterEach(() => assert.deepEqual(found.splice(0), []));

async function check(page, what) {
  // Half faded in, nothing has its contrast yet; and a change of colours begins to fade only with the next frame.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  await page.waitForFunction(() => {
    const roots = [document, ...[...document.querySelectorAll("*")].flatMap(({ shadowRoot }) => shadowRoot ?? [])];
    const moving = ({ playState, effect }) => playState === "running" && effect.getComputedTiming().endTime !== Infinity;
    return !roots.some((root) => root.getAnimations().some(moving));
  });
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  found.push(...grave.map(({ id, nodes }) => [what, id, ...nodes.map((node) => `${node.target} ${node.failureSummary}`)].join("\n  ")));
}

async function both(page, what) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await check(page, `${what}, ${colorScheme}`);
  }
}

test("the sign-in page is accessible, with an error shown", async () => {
  const page = await openPage(browser);
  pages.push(page);
  await page.goto(`${mesh.url}/`);
  await page.getByTestId("signin-submit").click();
  await page.getByTestId("signin-error").waitFor();
  await both(page, "sign-in");
});

test("the desk is accessible: waiting list, conversation, failed message, dialogs", async () => {
  for (const [n, name] of ["Paula Reis", "Igor Leal", "Rita Cruz"].entries()) {
    await mesh.phone("whatsapp", `551190000005${n}`, name).writes("oi");
    await ana.waiting(name).waitFor();
  }
  await both(ana.page, "the waiting list");
  await ana.take("Paula Reis");
  const customer = mesh.phone("whatsapp", "5511900000050", "Paula Reis");
  await customer.sendsFile(sunset(120, 80), "foto.png", "image/png", "assim");
  await customer.sendsFile(Buffer.from("%PDF-1.4\n%%EOF\n"), "nota.pdf", "application/pdf");
  await customer.shares(-23.55052, -46.63331, "Praça da Sé");
  await customer.sendsCard("João Pereira", "+5511988887777");
  await customer.sendsUnknown("order");
  await ana.id("unsupported").waitFor();
  await ana.id("document").waitFor();
  await mesh.faults({ gupshup: { reject_next: 1 } });
  await ana.reply("falha");
  await ana.inState("falha", "failed");
  await ana.reply("vai");
  await ana.inState("vai", "read");
  await both(ana.page, "a conversation");
  await ana.tab("active");
  await both(ana.page, "the active list");
  await ana.listed("Paula Reis").click();
  for (const name of ["templates", "transfer", "conclude"]) {
    await ana.id(name).click();
    await ana.page.getByRole("dialog").waitFor();
    await both(ana.page, name);
    await ana.page.keyboard.press("Escape");
    await ana.page.getByRole("dialog").waitFor({ state: "detached" });
  }
});

test("X-2 the parked messages are accessible: empty, a cause, a message, the questions", async () => {
  await ana.id("nav-parked").click();
  await ana.id("parked").waitFor();
  await both(ana.page, "nothing parked");
  await mesh.rawHook("demo-whatsapp", "{ not JSON");
  await ana.id("parked-cause").click();
  await both(ana.page, "a cause");
  await ana.id("parked-row").first().click();
  await ana.id("parked-body").waitFor();
  await both(ana.page, "a parked message");
  await ana.id("discard-one").click();
  await ana.page.getByRole("dialog").waitFor();
  await both(ana.page, "the question for a reason");
  await ana.page.keyboard.press("Escape");
  await ana.page.getByRole("dialog").waitFor({ state: "detached" });
  await ana.page.setViewportSize({ width: 390, height: 844 });
  await ana.id("parked-back").waitFor();
  await both(ana.page, "a parked message at 390");
  const wide = await ana.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wide <= 0, `nothing sticks out by ${wide} px`);
  await ana.page.setViewportSize({ width: 1440, height: 900 });
  await ana.page.keyboard.press("2");
  await ana.listed("Paula Reis").click();
});

for (const width of [1024, 390]) {
  test(`the desk is accessible at ${width} wide`, async () => {
    await ana.page.setViewportSize({ width, height: 844 });
    await ana.id("menu").or(ana.id("back")).first().waitFor({ state: width < 760 ? "visible" : "detached" });
    await both(ana.page, `a conversation at ${width}`);
    const wide = await ana.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 0, `nothing sticks out by ${wide} px`);
  });
}

test("the widget is accessible: asked for the name, and in conversation", async () => {
  const page = await openPage(browser, { viewport: { width: 1100, height: 760 } });
  pages.push(page);
  await page.goto(`${mesh.url}/webchat/demo`);
  await both(page, "the demo page");
  await page.getByRole("button", { name: "Fale com a gente" }).last().click();
  const panel = page.getByRole("dialog");
  await panel.getByLabel("Seu nome").fill("Clara Dias");
  await both(page, "the widget's question");
  await panel.getByLabel("E-mail").fill("clara@example.com");
  await page.keyboard.press("Enter");
  await panel.getByRole("textbox", { name: "Escreva uma mensagem…" }).fill("olá");
  await page.keyboard.press("Enter");
  await panel.locator(".mark.sent").waitFor();
  await both(page, "the widget in conversation");
});

test("the simulator is accessible, with chats and the faults open", async () => {
  const page = await openPage(browser);
  pages.push(page);
  await page.goto(`${mesh.url}/simulator`);
  for (const box of await page.getByRole("textbox", { name: "Mensagem" }).all()) {
    await box.fill("olá");
    await box.press("Enter");
  }
  const customer = mesh.phone("whatsapp", "5511987650001", "Alice Ramos");
  await customer.shares(-23.55052, -46.63331, "Praça da Sé");
  await customer.sendsCard("João Pereira", "+5511988887777");
  await customer.sendsFile(Buffer.from("%PDF-1.4\n%%EOF\n"), "nota.pdf", "application/pdf");
  await mesh.faults({ telegram: { reject_next: 1 } });
  await page.locator("article.mine").nth(4).waitFor();
  await page.locator(".open-faults .count").waitFor();
  await both(page, "the simulator");
  await page.getByRole("button", { name: "Falhas" }).click();
  await page.locator(".drawer.open").waitFor();
  await both(page, "the faults");
});

test("no page complained", () => assertQuiet(...pages));
