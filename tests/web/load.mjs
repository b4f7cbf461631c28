// Node treats a .js file as CommonJS unless a package.json declares ES modules, and the page has none. This loads the
// source of a module as a data URL instead.
import { readFile } from "node:fs/promises";

export const PAGE = new URL("../../src/scoreboard/entrypoints/pages/page/", import.meta.url);

/** Import a module of the page that has no imports. */
export async function load(name) {
  const source = await readFile(new URL(name, PAGE), "utf8");
  return import(`data:text/javascript;base64,${Buffer.from(source).toString("base64")}`);
}
