// The page of parked messages in Spanish and in English: the cause in plain words, and nothing left untranslated.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, Desk, startBrowser } from "./desk.mjs";
import { linesOf, strange } from "./languages.mjs";
import { startMesh } from "./mesh.mjs";
import { ParkedPage } from "./parked.mjs";

// The demo company writes Portuguese: its names are data.
const DATA = ["WhatsApp da loja", "Telegram da loja", "Chat do site", "Atendimento", "Suporte", "Plantão", "Loja Demo", "Ana Souza", "Português"];
const SAID = {
  es: {
    short: "ES",
    nav: "Retenidos",
    malformed: "Una llamada del proveedor no se pudo leer y se apartó.",
    doubt: "Se perdió la respuesta del proveedor: el mensaje puede haberse enviado o no.",
    ruling: "Puesto en camino",
    waiting: "En espera",
    ended: "Terminados",
    period: "Última hora",
  },
  en: {
    short: "EN",
    nav: "Parked",
    malformed: "A call from the provider could not be read and was put aside.",
    doubt: "The provider's answer was lost: the message may have been sent or not.",
    ruling: "Sent on its way",
    waiting: "Waiting",
    ended: "Ended",
    period: "Last hour",
  },
};
let mesh, browser, ana, parked;

before(async () => {
  mesh = await startMesh();
  browser = await startBrowser();
  ana = await Desk.signIn(browser, mesh);
  parked = new ParkedPage(ana, mesh);
  for (const body of ["one", "two"]) await mesh.rawHook("demo-telegram", body);
  await parked.doubtful("5511900000081", "Leo Paz", "1 2 3");
});
after(async () => {
  await browser?.close();
  await mesh?.stop();
});

async function speak(short) {
  await ana.id("settings").click();
  await ana.page.getByRole("menu").getByText(short, { exact: true }).click();
  await ana.page.keyboard.press("Escape");
  await ana.page.getByRole("menu").waitFor({ state: "detached" });
  // The choice outlives the page; what was told a screen reader before was told in the language of then.
  await ana.page.reload();
  await ana.connected();
}

/** Looks at the page in each state that it can be in. */
async function tour(language, found) {
  const { page } = ana;
  const said = SAID[language];
  const look = async (what) => {
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    found.push(...strange(await linesOf(page), language, DATA).map((wrong) => `${what}: ${wrong}`));
  };
  const ask = async (button, what) => {
    await ana.id(button).click();
    await parked.dialog().waitFor();
    await look(what);
    await page.keyboard.press("Escape");
    await parked.dialog().waitFor({ state: "detached" });
  };
  await look("the causes");
  await parked.first("webhook_malformed");
  await look("a call");
  await ask("discard-one", "the question before a discard");
  await ask("redrive-group", "the question before a group goes");
  await parked.first("in_doubt");
  await look("a doubt");
  await ask("decide-again", "the question before it goes again");
  await ask("decide-failed", "the question before it failed");
  await ana.id("parked-filter").click();
  await look("the filter");
  await page.getByRole("menuitem", { name: said.period, exact: true }).click();
  await look("with a filter");
}

for (const language of ["es", "en"]) {
  test(`X-2 the parked messages in ${language}: causes in plain words, no key and no Portuguese left`, async () => {
    const { page } = ana;
    const said = SAID[language];
    await speak(said.short);
    await parked.open();
    await ana.id("nav-parked").getByText(said.nav, { exact: true }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), language);
    const found = [];
    await tour(language, found);

    await parked.first("in_doubt");
    assert.equal(await ana.id("parked-detail").getByRole("heading", { level: 2 }).innerText(), said.doubt);
    assert.ok((await parked.cause("in_doubt").innerText()).includes(said.doubt));
    await parked.first("webhook_malformed");
    assert.equal(await ana.id("parked-detail").getByRole("heading", { level: 2 }).innerText(), said.malformed);
    assert.ok((await parked.cause("webhook_malformed").innerText()).includes(said.malformed));
    await ana.id("redrive-one").click();
    await ana.id("parked-history").getByText(said.ruling).first().waitFor();
    await parked.inState("waiting");
    found.push(...strange(await linesOf(page), language, DATA).map((wrong) => `after a decision: ${wrong}`));
    await ana.id("discard-one").click();
    await ana.id("parked-reason").fill("1 2 3");
    await ana.id("parked-confirm").click();
    await parked.inState("ended");
    await ana.id("parked-standing").getByText(said.ended, { exact: true }).click();
    await ana.id("parked-row").first().waitFor();
    found.push(...strange(await linesOf(page), language, DATA).map((wrong) => `what ended: ${wrong}`));
    await ana.id("parked-standing").getByText(said.waiting, { exact: true }).click();
    await ana.id("parked-causes").waitFor();
    assert.deepEqual(found, []);
  });
}

test("no page complained", () => assertQuiet(ana.page));
