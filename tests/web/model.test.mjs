// Run: node --test tests/web/*.test.mjs
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";

import { PAGE, load } from "./load.mjs";

const { applyTop, hue, initials, movement, nameOf, safeAvatar, scoreChanges, shares, titleOf } = await load("model.js");
const { describeChanges, describeState, formatSeason } = await load("texts.js");

const top = (offset, scores, { epoch = "a", season = "all" } = {}) => ({
  type: "top", app: "demo", board: "main", region: null, season, epoch, offset, total: 99,
  entries: scores.map(([player, score], index) => ({ rank: index + 1, player, username: null, avatar_url: null, score })),
});
const players = (board) => board.entries.map((entry) => entry.player);

test("the first top creates the board", () => {
  const board = applyTop(null, top(7, [["ann", 5], ["bob", 3]]), 1000);
  assert.deepEqual(players(board), ["ann", "bob"]);
  assert.equal(board.receivedAt, 1000);
  assert.equal(board.entries[0].name, "ann", "the id replaces a missing name");
});

test("the limit cuts the entries", () => {
  assert.deepEqual(players(applyTop(null, top(1, [["ann", 5], ["bob", 3], ["cid", 1]]), 0, 2)), ["ann", "bob"]);
});

test("a new epoch replaces the board even if its offset is lower", () => {
  const old = applyTop(null, top(700, [["ann", 5], ["bob", 3]]), 0);
  const board = applyTop(old, top(1, [["bob", 3], ["ann", 1]], { epoch: "b" }), 1);
  assert.deepEqual(movement(board, board.entries[0]), { kind: "same", places: 0 }, "the arrival ranks are reset");
  assert.equal(scoreChanges(old, board).size, 0, "score changes are not compared across epochs");
});

test("a new season resets the arrival ranks", () => {
  const old = applyTop(null, top(1, [["ann", 5], ["bob", 3]], { season: "w1" }), 0);
  const board = applyTop(old, top(2, [["bob", 1], ["ann", 0]], { season: "w2" }), 1);
  assert.equal(movement(board, board.entries[0]).kind, "same");
  assert.equal(scoreChanges(old, board).size, 0, "the reset of scores is no change");
});

test("movement counts from the viewer's arrival, not from the last message", () => {
  let board = applyTop(null, top(1, [["ann", 9], ["bob", 8], ["cid", 7]]), 0);
  board = applyTop(board, top(2, [["bob", 10], ["ann", 9], ["cid", 7]]), 0);
  board = applyTop(board, top(3, [["cid", 11], ["bob", 10], ["dot", 9]]), 0);
  const [cid, bob, dot] = board.entries;
  assert.deepEqual(movement(board, cid), { kind: "up", places: 2 });
  assert.deepEqual(movement(board, bob), { kind: "same", places: 0 });
  assert.deepEqual(movement(board, dot), { kind: "new", places: 0 });
  board = applyTop(board, top(4, [["cid", 11], ["bob", 10], ["ann", 9.5]]), 0);
  assert.deepEqual(movement(board, board.entries[2]), { kind: "down", places: 2 }, "a player who left and returned");
});

test("score changes are exact for wide scores and skip new players", () => {
  const before = applyTop(null, top(1, [["ann", 90071992547409930n], ["bob", 3], ["eve", 1]]), 0);
  const after = applyTop(before, top(2, [["ann", 90071992547409931n], ["bob", 5], ["eve", 1], ["cid", 1]]), 0);
  assert.deepEqual([...scoreChanges(before, after)], [["ann", 1n], ["bob", 2]]);
  assert.equal(scoreChanges(null, after).size, 0);
  const mixed = applyTop(after, top(3, [["ann", 90071992547409931n], ["bob", 9n]]), 0);
  assert.deepEqual([...scoreChanges(after, mixed)], [["bob", 4n]], "a board whose scores became BigInt");
});

test("shares are relative to the leader, in both directions, and 0 for negative scores", () => {
  const of = (...scores) => shares(scores.map((score) => ({ score })));
  assert.deepEqual(of(100, 50, 0), [1, 0.5, 0]);
  assert.deepEqual(of(10, 20), [1, 0.5]);
  assert.deepEqual(of(10n ** 30n, 10n ** 30n / 4n), [1, 0.25]);
  assert.deepEqual(of(5, -1), [0, 0]);
  assert.deepEqual(of(0, 0), [0, 0]);
  assert.deepEqual(of(), []);
});

test("announcements cover only the leader and the followed player", () => {
  const first = applyTop(null, top(1, [["ann", 9], ["bob", 8], ["cid", 7]]), 0);
  assert.equal(describeChanges(null, first, null), "ann leads with 9.");
  assert.equal(describeChanges(null, first, "cid"), "ann leads with 9. cid has rank 3.");
  const scored = applyTop(first, top(2, [["ann", 10], ["cid", 9], ["bob", 8]]), 0);
  assert.equal(describeChanges(first, scored, null), "", "moves of other players are not announced");
  assert.equal(describeChanges(first, scored, "cid"), "cid has rank 2.");
  const swapped = applyTop(scored, top(3, [["bob", 12], ["ann", 10]]), 0);
  assert.equal(describeChanges(scored, swapped, "cid"), "bob leads with 12. cid is no longer in the top 2.");
  assert.equal(describeChanges(null, applyTop(null, top(1, []), 0), "ann"), "");
});

test("connection states have a text and a reason", () => {
  const seen = { shown: true, now: 1_000, online: true };
  assert.deepEqual(describeState({ name: "live" }, seen), ["Live", ""]);
  const waiting = { name: "waiting", until: 4_500, reason: "closed" };
  assert.deepEqual(describeState(waiting, seen), ["Reconnecting in 4 s", ""]);
  assert.deepEqual(describeState(waiting, { ...seen, shown: false }), ["Retrying in 4 s", "Closed."]);
  assert.deepEqual(describeState(waiting, { ...seen, online: false }), ["Offline, retrying in 4 s", ""]);
  assert.deepEqual(describeState({ name: "refused", code: "x", detail: "Gone." }, seen), ["Not available", "Gone. (x)"]);
});

test("seasons are formatted for people", () => {
  assert.equal(formatSeason("all"), "All time");
  assert.equal(formatSeason("2026-W07"), "Week 7, 2026");
  assert.match(formatSeason("2026-11"), /November 2026/);
  assert.match(formatSeason("2026-11-21"), /21/);
});

test("avatars load only from https or the origin of the service", () => {
  const base = "http://localhost:8000/";
  assert.equal(safeAvatar("https://img.example/a.png", base), "https://img.example/a.png");
  assert.equal(safeAvatar("/a.png", base), "http://localhost:8000/a.png");
  for (const url of ["http://img.example/a.png", "javascript:alert(1)", "data:image/png;base64,AA", "//img.example/a", "http://[", "", null]) {
    assert.equal(safeAvatar(url, base), null, String(url));
  }
});

test("initials, hue and titles", () => {
  assert.deepEqual(["Amara Okafor", "pixel_wizard", "Óskar", "<script>", "محمد علي", "!!!"].map(initials), ["AO", "PW", "Ó", "S", "مع", "?"]);
  assert.equal(hue("ann"), hue("ann"));
  assert.ok(new Set(["p1", "p2", "p3", "p4"].map(hue)).size > 2);
  assert.equal(titleOf("weekly-speed_run"), "Weekly speed run");
  assert.equal(titleOf("--"), "--");
  assert.equal(nameOf({ board: "main", name: "The Big One" }), "The Big One");
  assert.equal(nameOf({ board: "speed-run", name: "speed-run" }), "Speed run");
});

test("every module parses", async () => {
  for (const name of (await readdir(PAGE)).filter((file) => file.endsWith(".js"))) {
    const check = spawnSync(process.execPath, ["--check", "--input-type=module", "-"], { input: await readFile(new URL(name, PAGE)), encoding: "utf8" });
    assert.equal(check.status, 0, `${name}: ${check.stderr}`);
  }
});

test("no text of a player is parsed as markup", async () => {
  for (const name of (await readdir(PAGE)).filter((file) => file.endsWith(".js"))) {
    const source = await readFile(new URL(name, PAGE), "utf8");
    const sinks = source.match(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML/g) ?? [];
    assert.equal(sinks.length, name === "view.js" ? 1 : 0, `${name}: only the constant template`);
  }
  const page = await readFile(new URL("index.html", PAGE), "utf8");
  assert.doesNotMatch(page, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/, "the policy forbids inline code");
});

test("the embedding script imports every module of the element", async () => {
  const imports = async (name) => [...(await readFile(new URL(name, PAGE), "utf8")).matchAll(/^import .*"\.\/(.+)";/gm)].map((found) => found[1]);
  const named = (await imports("embed.js")).map((path) => path.replace("page/{version}/", ""));
  const needed = new Set(["element.js"]);
  for (const name of needed) {
    const folder = name.includes("/") ? "client/" : "";
    for (const other of await imports(name)) needed.add(folder + other);
  }
  assert.deepEqual([...named].sort(), [...needed].sort());
});
