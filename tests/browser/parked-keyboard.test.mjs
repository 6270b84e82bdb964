// The page of parked messages without a mouse: the supervisor presses keys and nothing else.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, Desk, startBrowser } from "./desk.mjs";
import { startMesh } from "./mesh.mjs";
import { ParkedPage } from "./parked.mjs";

const BAD = "webhook_malformed";
const customers = {};
let mesh, browser, ana, bruno, parked;

before(async () => {
  mesh = await startMesh();
  browser = await startBrowser();
  for (const body of ["neither", '{"app": oops']) await mesh.rawHook("demo-whatsapp", body);
  await mesh.rawHook("demo-telegram", "no update at all");
  // An agent's replies, so that the supervisor has touched nothing before.
  bruno = await Desk.signIn(browser, mesh, "bruno@demo.example");
  const agent = new ParkedPage(bruno, mesh);
  customers.arrived = await agent.doubtful("5511900000071", "Sara Luz", "chegou?");
  customers.failed = await agent.doubtful("5511900000072", "Tito Vaz", "falhou?");
  customers.again = await agent.doubtful("5511900000073", "Vera Sol", "outra vez?");
  ana = await Desk.signIn(browser, mesh);
  parked = new ParkedPage(ana, mesh);
  await parked.shows(6);
});
after(async () => {
  await browser?.close();
  await mesh?.stop();
});

async function press(...keys) {
  for (const key of keys) await ana.page.keyboard.press(key);
}
/** What has the focus: its test id, and its group or row. */
const focus = () =>
  ana.page.evaluate(() => {
    const { dataset } = document.activeElement;
    const outline = getComputedStyle(document.activeElement);
    return { name: dataset.testid ?? "", row: dataset.row ?? "", seen: outline.outlineStyle !== "none" && outline.outlineWidth !== "0px" };
  });
const focused = (name) => ana.page.waitForFunction((wanted) => document.activeElement.dataset.testid === wanted, name);

/** Presses Tab until `name` has the focus, which must then be seen. */
async function tabTo(name) {
  for (let presses = 0; presses < 40; presses += 1) {
    const { name: here, seen } = await focus();
    if (here === name) return assert.ok(seen, `the focus on ${name} is seen`);
    await press("Tab");
  }
  assert.fail(`Tab does not reach ${name}`);
}

/** All groups from the top, by J; the focus stays on the last. */
async function groups() {
  await press(...Array(12).fill("k"));
  const found = [];
  for (let presses = 0; presses < 12; presses += 1) {
    const { name, row, seen } = await focus();
    if (name === "parked-cause" && !found.includes(row)) {
      found.push(row);
      assert.ok(seen, `the focus on ${row} is seen`);
    }
    await press("j");
  }
  return found;
}

/** Moves to the group of a code and, if said, an account's channel. */
async function toGroup(code, channel = "") {
  await press(...Array(12).fill("k"));
  for (let presses = 0; presses < 12; presses += 1) {
    const { name, row } = await focus();
    if (name === "parked-cause" && row.includes(code) && row.includes(channel)) return;
    await press("j");
  }
  assert.fail(`J does not reach ${code} ${channel}`);
}

/** Opens the first message of a group. */
async function openFirst(code, channel) {
  await toGroup(code, channel);
  const head = ana.page.locator("[data-testid=parked-cause]:focus");
  if ((await head.getAttribute("aria-expanded")) === "false") await press("Enter");
  await ana.page.locator(`[data-code=${code}][data-expanded=true]`).getByTestId("parked-row").first().waitFor();
  await press("j");
  await focused("parked-row");
  await press("Enter");
  await parked.inState("waiting");
}

/** None of them can be read yet: all come back, and can be sent again. */
async function back() {
  await parked.shows(6);
  await parked.cause(BAD, "WhatsApp da loja").getByTestId("redrive-group").getByText("Pôr 2 a caminho").waitFor();
  await ana.id("redrive-all").waitFor();
}

async function close() {
  await press("Escape");
  await ana.id("parked-detail").waitFor({ state: "detached" });
}

test("X-2 by the keyboard alone: to the page, among the groups, and one message opened and closed", async () => {
  await press("4");
  await ana.id("parked-causes").waitFor();
  const found = await groups();
  assert.equal(found.length, 3, `two kinds of calls and the doubts: ${found}`);
  assert.equal(found.filter((row) => row.includes("in_doubt")).length, 1);
  await openFirst(BAD, "whatsapp");
  const { row } = await focus();
  await close();
  // The focus is where it was, so that J goes on from there.
  await ana.page.waitForFunction((wanted) => document.activeElement.dataset.row === wanted, row);
});

test("X-2 by the keyboard alone: one goes on its way, then its group after a question", async () => {
  await openFirst(BAD, "whatsapp");
  await tabTo("redrive-one");
  await press("Enter");
  await ana.id("parked-history").getByText("Posta a caminho").waitFor();
  await parked.inState("waiting");
  // From within the message the focus goes back to its row.
  await close();
  await focused("parked-row");

  await toGroup(BAD, "whatsapp");
  await tabTo("redrive-group");
  await press("Enter");
  await focused("redrive-confirm");
  await press("Escape");
  await parked.dialog().waitFor({ state: "detached" });
  // The question gives the focus back to what asked it.
  await focused("redrive-group");
  await press("Enter");
  await focused("redrive-confirm");
  await press("Enter");
  await ana.page.getByText("2 mensagens estão a caminho").waitFor();
  await back();
});

test("X-2 by the keyboard alone: all of them go on their way", async () => {
  await toGroup(BAD, "telegram");
  // Backwards: the button stands before the list.
  for (let presses = 0; presses < 20 && (await focus()).name !== "redrive-all"; presses += 1) await press("Shift+Tab");
  await focused("redrive-all");
  await press("Enter");
  await parked.dialog().getByText("3 mensagens seguem").waitFor();
  await focused("redrive-confirm");
  await press("Enter");
  await ana.page.getByText("3 mensagens estão a caminho").waitFor();
  await back();
});

test("X-2 by the keyboard alone: a doubt is decided: arrived, failed with a reason, sent again", async () => {
  const decided = async (words) => {
    await ana.id("parked-history").getByText(words).waitFor();
    const told = await ana.id("parked-detail").innerText();
    await close();
    return told;
  };
  // The newest comes first.
  await openFirst("in_doubt");
  await tabTo("decide-again");
  await press("Enter");
  await parked.dialog().getByText("duas vezes").waitFor();
  await focused("parked-confirm");
  await press("Enter");
  assert.match(await decided("Enviada de novo"), /outra vez\?/);
  await customers.again.hears("outra vez?");

  await openFirst("in_doubt");
  await tabTo("decide-failed");
  await press("Enter");
  await focused("parked-reason");
  await ana.page.keyboard.type("ele não recebeu");
  await tabTo("parked-confirm");
  await press("Enter");
  assert.match(await decided("Dada como falha"), /falhou\?[\s\S]*ele não recebeu/);

  await openFirst("in_doubt");
  await tabTo("decide-arrived");
  await press("Enter");
  assert.match(await decided("Dada como recebida"), /chegou\?/);

  await parked.shows(3);
  const heard = async (customer) => (await customer.received()).map(({ says }) => says.text);
  assert.deepEqual([await heard(customers.arrived), await heard(customers.failed), await heard(customers.again)], [[], [], ["outra vez?"]]);
  await bruno.tab("active");
  for (const [name, text, state] of [["Sara Luz", "chegou?", "sent"], ["Tito Vaz", "falhou?", "failed"]]) {
    await bruno.listed(name).click();
    await bruno.inState(text, state);
  }
});

test("X-2 by the keyboard alone: away from the page", async () => {
  await press("1");
  await ana.id("parked").waitFor({ state: "detached" });
  assert.match(ana.page.url(), /#\/waiting$/);
});

test("no page complained", () => assertQuiet(ana.page, bruno.page));
