// Files both ways: what a customer sends is seen at the desk, and what an agent sends arrives byte for byte.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertQuiet, Desk, startBrowser } from "./desk.mjs";
import { sunset } from "./image.mjs";
import { startMesh } from "./mesh.mjs";

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

const picture = sunset(240, 160);
const pdf = Buffer.from("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n");
const drawn = (locator) => locator.evaluate((image) => image.decode().then(() => image.naturalWidth));

for (const [channel, address] of [["whatsapp", "5511900000011"], ["telegram", "700200311"]]) {
  test(`CH-13 AG-9 a ${channel} customer's image and document are shown, and the agent's two files and a pasted image arrive`, async () => {
    const name = `Nina ${channel}`;
    const customer = mesh.phone(channel, address, name);
    await customer.sendsFile(picture, "vista.png", "image/png", "veio quebrado");
    await ana.take(name);
    const shown = ana.message("veio quebrado").getByTestId("image");
    assert.equal(await drawn(shown.locator("img")), 240);
    await customer.sendsFile(pdf, "nota.pdf", "application/pdf");
    await ana.id("document").filter({ hasText: "nota.pdf" }).waitFor();

    await shown.click();
    assert.equal(await drawn(ana.id("lightbox").locator("img").first()), 240);
    await ana.page.keyboard.press("Escape");
    await ana.id("lightbox").waitFor({ state: "detached" });
    await ana.id("composer").waitFor();

    await ana.id("file-input").setInputFiles([
      { name: "foto.png", mimeType: "image/png", buffer: picture },
      { name: "contrato.pdf", mimeType: "application/pdf", buffer: pdf },
    ]);
    await ana.page.locator("[data-testid=attachment][data-state=done]").nth(1).waitFor();
    await ana.reply("seguem os dois");
    const sent = await customer.gets(2);
    assert.deepEqual(sent.map(({ media }) => media), ["image", "document"]);
    assert.ok(sent[0].bytes.equals(picture) && sent[1].bytes.equals(pdf), "the bytes are the same");
    assert.equal(sent[0].caption, "seguem os dois");

    await ana.id("composer").evaluate((field, bytes) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], "colada.png", { type: "image/png" }));
      field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
    }, [...picture]);
    await ana.page.locator("[data-testid=attachment][data-state=done]").waitFor();
    await ana.id("send").click();
    const all = await customer.gets(3);
    assert.ok(all[2].bytes.equals(picture));
    await ana.id("attachments").waitFor({ state: "detached" });
  });
}

test("X-10 CH-13 a file that the provider has already deleted is said to be lost, and the conversation goes on", async () => {
  const customer = mesh.phone("whatsapp", "5511900000012", "Otto Reis");
  await customer.writes("vou mandar a foto");
  await ana.take("Otto Reis");
  await mesh.faults({ gupshup: { media_expired: true } });
  await customer.sendsFile(picture, "tarde.png", "image/png");
  await ana.id("media-lost").waitFor();
  await mesh.faults({ gupshup: {} });
  await ana.reply("não chegou, pode reenviar?");
  await customer.hears("não chegou, pode reenviar?");
});

test("no page complained", () => assertQuiet(ana.page));
