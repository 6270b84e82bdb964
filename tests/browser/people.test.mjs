// Signing in, languages, and a day's work without a mouse.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, Desk, openPage, startBrowser } from "./desk.mjs";
import { startMesh } from "./mesh.mjs";

let mesh, browser;
const pages = [];

before(async () => {
  mesh = await startMesh();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await mesh?.stop();
});

async function front(options) {
  const page = await openPage(browser, options);
  pages.push(page);
  await page.goto(`${mesh.url}/`);
  await page.getByTestId("signin-submit").waitFor();
  return new Desk(page, mesh);
}

test("AG-1 by keyboard alone: sign in, pick, take, answer, conclude", async () => {
  const customer = mesh.phone("whatsapp", "5511900000041", "Iara Couto");
  await customer.writes("meu login não funciona");
  const ana = await front();
  const { keyboard } = ana.page;
  await keyboard.type(mesh.email);
  await keyboard.press("Tab");
  await keyboard.type(mesh.password);
  await keyboard.press("Enter");
  await ana.waiting("Iara Couto").waitFor();
  await keyboard.press("j");
  await keyboard.press("Enter");
  await ana.message("meu login não funciona").waitFor();
  await keyboard.press("t");
  await ana.page.locator("[data-testid=composer]:focus").waitFor();
  await keyboard.type("Vou redefinir sua senha.");
  await keyboard.press("Enter");
  await customer.hears("Vou redefinir sua senha.");
  await keyboard.press("Escape");
  await keyboard.press("e");
  await ana.page.locator("[data-testid=conclude-confirm]:focus").waitFor();
  await keyboard.press("Enter");
  await ana.listed("Iara Couto").waitFor({ state: "detached" });
  await ana.page.getByRole("dialog").waitFor({ state: "detached" });
  await keyboard.press("?");
  await ana.id("shortcuts").waitFor();
});

test("the desk speaks Portuguese, Spanish and English, and remembers", async () => {
  const carla = await front({ locale: "es-AR" });
  await carla.page.getByRole("heading", { name: "Entre en su escritorio" }).or(carla.page.getByRole("heading")).first().waitFor();
  for (const [name, button] of [["English", "Sign in"], ["Português", "Entrar"], ["Español", "Entrar"]]) {
    await carla.id("signin-language").getByText(name).click();
    await carla.id("signin-submit").getByText(button).waitFor();
  }
  await carla.enter("carla@demo.example", mesh.password);
  await carla.id("tab-waiting").getByText("En espera").waitFor();
  await carla.id("settings").click();
  await carla.page.getByRole("menu").getByText("EN", { exact: true }).click();
  await carla.id("tab-waiting").getByText("Waiting").waitFor();
  assert.equal(await carla.page.evaluate(() => document.documentElement.lang), "en");
  await carla.page.reload();
  await carla.id("tab-waiting").getByText("Waiting").waitFor();
});

test("a wrong password is said plainly, and after too many tries how long to wait", async () => {
  const stranger = await front();
  const error = stranger.id("signin-error");
  const attempt = async (password) => {
    const answer = stranger.page.waitForResponse((one) => one.url().endsWith("/sessions"));
    await stranger.id("signin-password").fill(password);
    await stranger.id("signin-submit").click();
    await answer;
    await error.waitFor();
  };
  await stranger.id("signin-email").fill("bruno@demo.example");
  await attempt("errada");
  assert.equal(await error.innerText(), "O e-mail ou a senha está errado.");
  assert.equal(await stranger.id("signin-email").inputValue(), "bruno@demo.example", "what was typed stays");
  for (let tries = 0; tries < 8 && (await error.getAttribute("data-code")) === "bad_credentials"; tries += 1) await attempt("errada");
  assert.match(await error.innerText(), /Tentativas demais.*Espere \d+ s/);
  await attempt(mesh.password);
  assert.equal(await error.getAttribute("data-code"), "too_many_attempts", "the right password does not help either");
});

test("no page complained", () => assertQuiet(...pages));
