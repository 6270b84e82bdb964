// Makes the pictures of the README from a lively scene: `node pictures.mjs` writes docs/images/{desk,widget,simulator}.png.
// `node pictures.mjs FOLDER` writes those and the desk in dark, in other languages and on small screens, for the eye.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { assertQuiet, Desk, openPage, startBrowser } from "./desk.mjs";
import { startMesh } from "./mesh.mjs";

const folder = process.argv[2] ?? new URL("../../docs/images", import.meta.url).pathname;
const all = process.argv[2] !== undefined;
mkdirSync(folder, { recursive: true });

/** A photograph of a lamp, drawn by the browser. */
async function lamp(browser) {
  const page = await browser.newPage({ viewport: { width: 560, height: 400 } });
  await page.setContent(`<style>body{margin:0}</style><svg viewBox="0 0 560 400" width="560" height="400">
    <defs><radialGradient id="g" cx=".5" cy=".42" r=".7"><stop offset="0" stop-color="#fff0cc"/><stop offset=".35" stop-color="#e9b872"/>
    <stop offset="1" stop-color="#5b3a2e"/></radialGradient><linearGradient id="t" x2="0" y2="1"><stop stop-color="#8a5a3c"/><stop offset="1" stop-color="#4a2d20"/></linearGradient></defs>
    <rect width="560" height="400" fill="url(#g)"/><rect y="312" width="560" height="88" fill="url(#t)"/>
    <ellipse cx="280" cy="326" rx="86" ry="13" fill="#0004"/><rect x="272" y="196" width="16" height="122" fill="#2e3d42"/>
    <ellipse cx="280" cy="320" rx="56" ry="11" fill="#2e3d42"/><path d="M206 206l30-104h88l30 104z" fill="#fff6df"/><path d="M206 206h148l-6 9H212z" fill="#e7d2a5"/>
    <path d="M318 102l-14 38 16 18-18 48" fill="none" stroke="#7a4b2b" stroke-width="3"/>
    <g fill="#2f5d4e"><path d="M440 318c-8-46-34-62-52-66 6 30 22 54 44 66zM446 318c4-54 28-78 54-84-2 36-20 68-46 84z"/><rect x="420" y="300" width="50" height="40" rx="6" fill="#b5533c"/></g></svg>`);
  const picture = await page.screenshot({ type: "png" });
  await page.close();
  return picture;
}

const mesh = await startMesh();
const browser = await startBrowser();
const shoot = async (page, name) => {
  await page.waitForFunction(() => [...document.images].every((image) => image.complete) && document.fonts.status === "loaded");
  await page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== "running"));
  await page.screenshot({ path: join(folder, `${name}.png`) });
};

/** The visitor of the demo shop, mid-conversation. */
async function visitor(ana) {
  const site = await openPage(browser);
  await site.goto(`${mesh.url}/webchat/demo`);
  await site.locator("#open").click();
  const panel = site.getByRole("dialog");
  await panel.getByLabel("Seu nome").fill("Clara Dias");
  await panel.getByLabel("E-mail").fill("clara.dias@example.com");
  await site.keyboard.press("Enter");
  const write = async (text) => {
    await panel.locator("textarea").fill(text);
    await site.keyboard.press("Enter");
    await panel.locator(".bubble.own").filter({ hasText: text }).locator(".mark.sent").waitFor();
  };
  const hear = async (text) => {
    await ana.reply(text);
    await panel.locator(".bubble.theirs").filter({ hasText: text }).waitFor();
  };
  await write("Oi! Vocês entregam em Santos?");
  await ana.take("Clara Dias");
  await hear("Olá, Clara! Entregamos sim, em até três dias úteis. 🚚");
  await write("Ótimo. E dá para trocar a cor da cúpula?");
  await hear("Dá sim: temos em linho, areia e terracota.");
  await ana.id("file-input").setInputFiles({ name: "cores-2026.pdf", mimeType: "application/pdf", buffer: Buffer.concat([Buffer.from("%PDF-1.4\n"), Buffer.alloc(182_000, 32)]) });
  await ana.page.locator("[data-testid=attachment][data-state=done]").waitFor();
  await ana.id("send").click();
  await panel.locator(".bubble").filter({ hasText: "cores-2026.pdf" }).waitFor();
  await write("Perfeito, vou querer a terracota! Como faço o pedido?");
  return site;
}

/** Conversations on all channels; the one of Marina Teixeira lies open. */
async function scene(ana) {
  const { phone } = mesh;
  const served = async (customer, name, words, answer) => {
    await customer.writes(words);
    await ana.take(name);
    await ana.reply(answer);
    await customer.hears(answer);
  };
  await served(phone("whatsapp", "5521988104477", "Rafael Siqueira"), "Rafael Siqueira", "Comprei duas luminárias e veio só uma", "Vou verificar com o estoque e já retorno, Rafael.");
  const bruno = phone("telegram", "700100200", "Beto Nunes");
  await served(bruno, "Beto Nunes", "Boa tarde! Ainda tem o abajur Aurora na cor areia?", "Boa tarde, Beto! Temos três unidades. 😊");
  await bruno.writes("Que bom! E a lâmpada já vem junto?");
  for (const words of ["Vem sim: LED de 7 W, luz quente.", "Quer que eu separe uma para você?"]) {
    await ana.reply(words);
    await bruno.hears(words);
  }
  await bruno.writes("Quero! Retiro na loja amanhã cedo");
  await ana.message("Retiro na loja").waitFor();
  const site = await visitor(ana);
  const marina = phone("whatsapp", "5511987650001", "Marina Teixeira");
  await marina.writes("Oi, boa tarde! Meu abajur chegou hoje 🙂");
  await ana.take("Marina Teixeira");
  await marina.sendsFile(await lamp(browser), "abajur.png", "image/png", "Mas a cúpula veio com uma trinca aqui do lado");
  await ana.page.getByTestId("image").locator("img").waitFor();
  for (const words of ["Oi, Marina! Sinto muito por isso.", "Trocamos sem custo. Onde podemos retirar?"]) {
    await ana.reply(words);
    await marina.hears(words);
  }
  await marina.shares(-23.56142, -46.65588, "Av. Paulista, 1578");
  await ana.id("map-link").waitFor();
  await marina.writes("Pode ser amanhã de manhã?");
  await ana.message("amanhã de manhã").waitFor();
  await ana.reply("Combinado: passamos amanhã entre 9h e 12h. 🛵");
  await ana.inState("Combinado", "read");
  await mesh.faults({ gupshup: { receipts: "missing" } });
  await ana.reply("Mando o código da troca por aqui em instantes.");
  await ana.page.locator("[data-testid=tick][data-tick=one]").last().waitFor();
  await mesh.faults({ gupshup: {} });
  const waiting = [["whatsapp", "5531991237788", "Luciana Prado", "O prazo de entrega passou ontem, podem ver?"],
    ["telegram", "700100555", "Téo Andrade", "Vocês parcelam em quantas vezes?"],
    ["whatsapp", "5541999001122", "Seu Osvaldo", "Quero segunda via da nota, por favor"],
    ["whatsapp", "5571988776655", "Iracema Bastos", "📍"], ["telegram", "700100777", "Júlia Campos", "Bom dia! O cupom AURORA10 ainda vale?"]];
  for (const [channel, address, name, words] of waiting) await phone(channel, address, name).writes(words);
  await phone("whatsapp", "5521988104477", "Rafael Siqueira").writes("Obrigado! Fico no aguardo");
  await ana.listed("Rafael Siqueira").getByTestId("unread").waitFor();
  await ana.page.mouse.move(720, 4);
  return site;
}

async function views(ana) {
  const { page } = ana;
  await ana.tab("waiting");
  await ana.waiting("Júlia Campos").waitFor();
  await shoot(page, "desk-waiting");
  await ana.tab("active");
  await ana.listed("Marina Teixeira").click();
  await ana.message("código da troca").waitFor();
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot(page, "desk-dark");
  await page.emulateMedia({ colorScheme: "light" });
  for (const [short, word] of [["ES", "En espera"], ["EN", "Waiting"]]) {
    await ana.id("settings").click();
    await page.getByRole("menu").getByText(short, { exact: true }).click();
    await ana.id("tab-waiting").getByText(word).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    await shoot(page, `desk-${short.toLowerCase()}`);
  }
  for (const [width, height] of [[1024, 768], [390, 844]]) {
    await page.setViewportSize({ width, height });
    await ana.message("código da troca").waitFor();
    await shoot(page, `desk-${width}`);
  }
  await page.getByTestId("back").click();
  await ana.listed("Marina Teixeira").waitFor();
  await shoot(page, "desk-390-list");
  const front = await openPage(browser);
  await front.goto(`${mesh.url}/`);
  await front.getByTestId("signin-submit").waitFor();
  await shoot(front, "sign-in");
}

try {
  const ana = await Desk.signIn(browser, mesh);
  const site = await scene(ana);
  await shoot(ana.page, "desk");
  await shoot(site, "widget");
  const phones = await openPage(browser);
  await phones.addInitScript(() => {
    localStorage.setItem("customers.whatsapp", JSON.stringify([{ name: "Marina Teixeira", address: "5511987650001" }]));
  });
  await phones.goto(`${mesh.url}/simulator`);
  await phones.locator("article").filter({ hasText: "código da troca" }).waitFor();
  await phones.locator("article").filter({ hasText: "Retiro na loja" }).waitFor();
  await shoot(phones, "simulator");
  if (all) {
    await site.emulateMedia({ colorScheme: "dark" });
    await shoot(site, "widget-dark");
    await phones.emulateMedia({ colorScheme: "dark" });
    await shoot(phones, "simulator-dark");
    await views(ana);
  }
  assertQuiet(ana.page, site, phones);
} finally {
  await browser.close();
  await mesh.stop();
}
