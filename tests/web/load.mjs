// Node takes a .js file for CommonJS where no package.json says otherwise, and the page
// needs none. This hands Node the module's own text as an ES module.
import { readFile } from "node:fs/promises";

export const PAGE = new URL("../../src/scoreboard/entrypoints/pages/page/", import.meta.url);

/** Import a module of the page that imports no other. */
export async function load(name) {
  const source = await readFile(new URL(name, PAGE), "utf8");
  return import(`data:text/javascript;base64,${Buffer.from(source).toString("base64")}`);
}
