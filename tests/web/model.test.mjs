// Run: node --test tests/web/*.test.mjs
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { load } from "./load.mjs";

const model = await load("model.js");
const { applyTop, hue, initials, movement, parseScore, positionOf, safeAvatar, scoreChanges, shares, summarise, titleOf } = model;

const top = (offset, scores, { epoch = "a", season = "all" } = {}) => ({
  type: "top", app: "demo", board: "main", region: null, season, epoch, offset, total: 99,
  entries: scores.map(([player, score], index) => ({ rank: index + 1, player, username: null, avatar_url: null, score })),
});
const players = (board) => board.entries.map((entry) => entry.player);

test("a decimal string keeps every digit, a number stays a number", () => {
  assert.equal(parseScore("123456789012345678901234567890"), 123456789012345678901234567890n);
  assert.equal(parseScore("-9007199254740993"), -9007199254740993n);
  assert.equal(parseScore(12), 12);
  assert.equal(parseScore("1.5"), 1.5);
  assert.equal(new Intl.NumberFormat("en").format(parseScore("9007199254740993")), "9,007,199,254,740,993");
});

test("a first top makes the board and its position", () => {
  const board = applyTop(null, top(7, [["ann", 5], ["bob", 3]]), 1000);
  assert.deepEqual(positionOf(board), { epoch: "a", offset: 7 });
  assert.deepEqual(players(board), ["ann", "bob"]);
  assert.equal(board.receivedAt, 1000);
  assert.equal(board.entries[0].name, "ann", "the player's id stands in for a missing name");
  assert.equal(positionOf(null), null);
});

test("an older or equal offset in the same epoch changes nothing", () => {
  const board = applyTop(null, top(7, [["ann", 5]]), 0);
  assert.equal(applyTop(board, top(6, [["bob", 9]]), 1), board);
  assert.equal(applyTop(board, top(7, [["bob", 9]]), 1), board);
  assert.deepEqual(players(applyTop(board, top(8, [["bob", 9]]), 1)), ["bob"]);
});

test("another epoch replaces everything, whatever its offset", () => {
  const old = applyTop(null, top(700, [["ann", 5], ["bob", 3]]), 0);
  const board = applyTop(old, top(1, [["bob", 3], ["ann", 1]], { epoch: "b" }), 1);
  assert.deepEqual(positionOf(board), { epoch: "b", offset: 1 });
  assert.deepEqual(movement(board, board.entries[0]), { kind: "same", places: 0 }, "arrival starts again");
  assert.equal(scoreChanges(old, board).size, 0, "no change is claimed across epochs");
});

test("a new season starts the arrival ranks again", () => {
  const old = applyTop(null, top(1, [["ann", 5], ["bob", 3]], { season: "w1" }), 0);
  const board = applyTop(old, top(2, [["bob", 1], ["ann", 0]], { season: "w2" }), 1);
  assert.equal(movement(board, board.entries[0]).kind, "same");
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
  assert.deepEqual(movement(board, board.entries[2]), { kind: "down", places: 2 }, "one who left and returned");
});

test("score changes are exact for wide scores and skip who is new", () => {
  const before = applyTop(null, top(1, [["ann", "90071992547409930"], ["bob", 3], ["eve", 1]]), 0);
  const after = applyTop(before, top(2, [["ann", "90071992547409931"], ["bob", 5], ["eve", 1], ["cid", 1]]), 0);
  assert.deepEqual([...scoreChanges(before, after)], [["ann", 1n], ["bob", 2]]);
  assert.equal(scoreChanges(null, after).size, 0);
  const mixed = applyTop(after, top(3, [["ann", "90071992547409931"], ["bob", "9"]]), 0);
  assert.deepEqual([...scoreChanges(after, mixed)], [["bob", 4n]], "a board that turned wide");
});

test("shares: of the leader, either way round, none where they mean nothing", () => {
  const of = (...scores) => shares(scores.map((score) => ({ score })));
  assert.deepEqual(of(100, 50, 0), [1, 0.5, 0]);
  assert.deepEqual(of(10, 20), [1, 0.5]);
  assert.deepEqual(of(10n ** 30n, 10n ** 30n / 4n), [1, 0.25]);
  assert.deepEqual(of(5, -1), [0, 0]);
  assert.deepEqual(of(0, 0), [0, 0]);
  assert.deepEqual(of(), []);
});

test("the summary is one calm line, and silent when no place changed", () => {
  const first = applyTop(null, top(1, [["ann", 9], ["bob", 8], ["cid", 7]]), 0);
  assert.equal(summarise(null, first, String), "ann leads with 9; bob is at 2, cid is at 3.");
  const scored = applyTop(first, top(2, [["ann", 10], ["bob", 8], ["cid", 7]]), 0);
  assert.equal(summarise(first, scored, String), "");
  const swapped = applyTop(scored, top(3, [["bob", 12], ["ann", 10], ["cid", 7]]), 0);
  assert.match(summarise(first, swapped, String), /^2 changes of place\. bob leads with 12/);
  assert.equal(summarise(null, applyTop(null, top(1, []), 0), String), "No scores yet.");
});

test("avatars: https or our own origin, nothing else", () => {
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
});

test("nothing a player sends is ever read as markup", async () => {
  for (const name of ["rows.js", "board.js", "page.js"]) {
    const source = await readFile(new URL(`../../src/scoreboard/entrypoints/http/page/${name}`, import.meta.url), "utf8");
    const sinks = source.match(/innerHTML|outerHTML|insertAdjacentHTML|document\.write/g) ?? [];
    assert.equal(sinks.length, name === "board.js" ? 1 : 0, `${name}: only the constant template`);
  }
  const page = await readFile(new URL("../../src/scoreboard/entrypoints/http/page/index.html", import.meta.url), "utf8");
  assert.doesNotMatch(page, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/, "the policy allows nothing inline");
});
