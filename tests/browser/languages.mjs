// The desk's words as its source has them, and what of a page is not in the language that it should be in.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const SOURCE = new URL("../../services/desk/web/src/i18n/", import.meta.url);

/** A catalogue by key. Node reads no TypeScript by itself, and its entries are plain enough for a pattern. */
function catalogue(language) {
  const words = new Map();
  for (const file of [`${language}.ts`, `parked/${language}.ts`]) {
    const text = readFileSync(new URL(file, SOURCE), "utf8");
    for (const [, key, single, double] of text.matchAll(/'([\w.]+)':\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g)) {
      words.set(key, (single ?? double).replaceAll("\\'", "'"));
    }
  }
  assert.ok(words.size > 300, `the catalogue of ${language} was read`);
  return words;
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
/** The fixed pieces of a text, between what is filled in. */
const pieces = (words) => words.split(/\{\w+\}/).map((piece) => piece.trim());

/**
 * What is wrong with `lines` of a page in `language`: keys that were shown as they are, and words of Portuguese that this
 * language does not have too. `data` are names and texts of people, which no catalogue translates.
 */
export function strange(lines, language, data) {
  const own = [...catalogue(language).values()];
  const keys = [...catalogue("en").keys()];
  // Shorter ones say nothing: "de" and "com" are in words of every language.
  const foreign = [...catalogue("pt-BR").values()].flatMap(pieces)
    .filter((piece) => piece.length >= 5 && !own.some((words) => words.includes(piece)))
    .map((piece) => new RegExp(`(?<!\\p{L})${escaped(piece)}(?!\\p{L})`, "u"));
  const wrong = [];
  for (const line of new Set(lines)) {
    const words = data.reduce((rest, name) => rest.replaceAll(name, ""), line);
    const key = keys.find((one) => words.includes(one));
    if (key !== undefined) wrong.push(`the key ${key}: ${line}`);
    // Letters that Spanish and English do not have.
    if (/[ãõçâêôà]/i.test(words)) wrong.push(`Portuguese letters: ${line}`);
    else if (foreign.some((known) => known.test(words))) wrong.push(`Portuguese words: ${line}`);
  }
  return wrong;
}

/** Every line that the page shows or tells a screen reader. */
export const linesOf = (page) =>
  page.evaluate(() => {
    const told = ["aria-label", "title", "placeholder", "alt"];
    const attributes = told.flatMap((name) => [...document.querySelectorAll(`[${name}]`)].map((one) => one.getAttribute(name)));
    return [document.title, ...document.body.innerText.split("\n"), ...attributes].map((line) => line.trim()).filter(Boolean);
  });
