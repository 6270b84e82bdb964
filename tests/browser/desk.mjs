// The desk as its agent uses it. Everything is found by what the page shows or by its test ids.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { PATIENCE } from "./phone.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-quic",
];

export const startBrowser = () => chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });

/** A page that keeps what went wrong in it. `complaints` must be empty at the end of a test file. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ locale: "pt-BR", viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (line) => {
    // Refused and lost calls are the subject of several tests; the page's own errors never are.
    if (line.type() === "error" && !/Failed to load resource|WebSocket connection to/.test(line.text())) page.complaints.push(line.text());
  });
  page.on("response", (answer) => {
    if (answer.status() >= 500) page.complaints.push(`${answer.status()} ${answer.url()}`);
  });
  return page;
}

export const assertQuiet = (...pages) => assert.deepEqual(pages.flatMap((page) => page?.complaints ?? []), []);

export class Desk {
  static async signIn(browser, mesh, email = mesh.email, options = {}) {
    const page = await openPage(browser, options);
    const desk = new Desk(page, mesh);
    await page.goto(`${mesh.url}/`);
    await desk.enter(email, mesh.password);
    return desk;
  }

  constructor(page, mesh) {
    Object.assign(this, { page, mesh });
  }

  async enter(email, password) {
    await this.id("signin-email").fill(email);
    await this.id("signin-password").fill(password);
    await this.id("signin-submit").click();
    await this.connected();
  }

  id = (name) => this.page.getByTestId(name);
  connected = () => this.page.locator("[data-testid=connection][data-state=live]").waitFor({ state: "attached" });
  connecting = () => this.page.locator("[data-testid=connection][data-state=reconnecting]").waitFor({ state: "attached" });
  waiting = (name) => this.id("waiting-item").filter({ hasText: name });
  listed = (name) => this.id("conversation-item").filter({ hasText: name });
  message = (text) => this.id("message").filter({ hasText: text });
  inState = (text, state) => this.page.locator(`[data-testid=message][data-state=${state}]`).filter({ hasText: text }).waitFor();
  tab = (name) => this.id(`tab-${name}`).click();
  /** The count beside a channel's button, as a number. */
  count = async (channel) => Number(await this.id(`channel-count-${channel}`).innerText());
  showsCount = (channel, count) => this.id(`channel-count-${channel}`).getByText(String(count), { exact: true }).waitFor();

  /** Takes the waiting conversation of `name` and waits until one can write. */
  async take(name) {
    await this.tab("waiting");
    await this.waiting(name).click();
    await this.id("take").click();
    await this.id("composer").waitFor();
    await this.id("chat-title").getByText(name).waitFor();
  }

  async reply(text) {
    await this.id("composer").fill(text);
    await this.id("send").click();
  }

  async conclude() {
    await this.id("conclude").click();
    await this.id("conclude-confirm").click();
  }
}
