// Run: node --test clients/javascript/test/request.test.js
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";

import * as client from "../src/scoreboard.js";

const { Scoreboard, ScoreboardError } = client;

/** A clock whose waits are over at once, and are remembered. */
function hurriedClock() {
  const waits = [];
  let now = 1_000_000;
  const setTimeout = (run, ms) => {
    waits.push(ms);
    now += ms;
    return setImmediate(run);
  };
  return { waits, now: () => now, setTimeout, clearTimeout: clearImmediate };
}

/** A server that gives these answers in turn; what it was asked is in `asked`. */
async function scripted(context, ...answers) {
  const asked = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
      asked.push({ url: request.url, headers: request.headers, body });
      const [status, headers, text] = answers[Math.min(asked.length, answers.length) - 1];
      if (status === "hang up") request.socket.destroy();
      else if (status !== "say nothing") response.writeHead(status, headers).end(text);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.closeAllConnections() ?? server.close());
  return { asked, url: `http://127.0.0.1:${server.address().port}` };
}

const ok = [200, {}, '{"status": "applied"}'];
const busy = (retryAfter) => [503, { "Retry-After": retryAfter }, '{"code": "busy", "detail": "Come back."}'];

test("a network failure, 503 and 429 are tried again under one key", async (context) => {
  const limited = [429, { "Retry-After": "1" }, '{"code": "rate_limited", "detail": "Slower."}'];
  const { asked, url } = await scripted(context, ["hang up"], busy("1"), limited, ok);
  const board = new Scoreboard(url, { clock: hurriedClock() }).board("game", "main");
  assert.deepEqual(await board.increment("alice", 5), { status: "applied" });
  assert.equal(asked.length, 4);
  const keys = asked.map(({ headers }) => headers["idempotency-key"]);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.equal(new Set(keys).size, 1);
  assert.equal(new Set(asked.map(({ body }) => body)).size, 1);
  await board.increment("alice", 5);
  assert.notEqual(asked[4].headers["idempotency-key"], keys[0], "the next update is another");
});

test("the waits are jittered and double; Retry-After is the least", async (context) => {
  const { url } = await scripted(context, busy("3"), busy("0"), busy("0"), ok);
  const clock = hurriedClock();
  await new Scoreboard(url, { clock, random: () => 0.5 }).board("game", "main").top();
  assert.deepEqual(clock.waits, [3_000, 1_000, 2_000]);
});

test("it gives up after a bounded time, with the last error and the key", async (context) => {
  const { asked, url } = await scripted(context, busy("4"));
  const clock = hurriedClock();
  const board = new Scoreboard(url, { clock, retryFor: 10_000 }).board("game", "main");
  await assert.rejects(board.score("alice", 1, { idempotencyKey: "mine" }), (error) => {
    assert.ok(error instanceof ScoreboardError);
    const { status, code, detail, retryAfter, idempotencyKey, retryable } = error;
    assert.deepEqual({ status, code, detail, retryAfter, idempotencyKey, retryable },
      { status: 503, code: "busy", detail: "Come back.", retryAfter: 4_000, idempotencyKey: "mine", retryable: true });
    return true;
  });
  assert.equal(asked.length, 3);
  assert.ok(clock.waits.reduce((sum, ms) => sum + ms, 0) < 10_000);
});

test("a wait longer than is left is not begun", async (context) => {
  const { asked, url } = await scripted(context, busy("3600"));
  await assert.rejects(new Scoreboard(url).board("game", "main").top(), { code: "busy", retryAfter: 3_600_000 });
  assert.equal(asked.length, 1);
});

test("nothing else is tried again", async (context) => {
  for (const status of [400, 401, 403, 404, 409, 500, 502]) {
    const { asked, url } = await scripted(context, [status, {}, "<html>from a proxy</html>"]);
    await assert.rejects(new Scoreboard(url).board("game", "main").top(), { status, code: `http_${status}` });
    assert.equal(asked.length, 1, String(status));
  }
});

test("no answer in time is tried again, and then told as what it is", async (context) => {
  const { asked, url } = await scripted(context, ["say nothing"]);
  const board = new Scoreboard(url, { timeout: 50, retryFor: 5_000, clock: hurriedClock(), random: () => 0.9 }).board("game", "main");
  await assert.rejects(board.top(), { status: null, code: "timeout" });
  assert.ok(asked.length > 1);
});

test("a server that is not there is told in one line", async (context) => {
  const { url } = await scripted(context, ["hang up"]);
  const board = new Scoreboard(url, { retryFor: 0 }).board("game", "main");
  await assert.rejects(board.top(), { status: null, code: "unreachable", message: `${url} was not reached (unreachable)` });
});

test("an answer that is not JSON is no Scoreboard", async (context) => {
  const { url } = await scripted(context, [200, {}, "<html>"]);
  await assert.rejects(new Scoreboard(url).board("game", "main").top(), { code: "not_json" });
});

test("a caller's signal ends it: while it asks, and while it waits", async (context) => {
  const silent = await scripted(context, ["say nothing"]);
  const asking = new AbortController();
  const asked = new Scoreboard(silent.url).board("game", "main").top({ signal: asking.signal });
  setTimeout(() => asking.abort(new Error("no longer wanted")), 20);
  await assert.rejects(asked, /no longer wanted/);
  const full = await scripted(context, busy("20"));
  const waiting = new AbortController();
  const waited = new Scoreboard(full.url).board("game", "main").top({ signal: waiting.signal });
  setTimeout(() => waiting.abort(new Error("no longer wanted")), 100);
  await assert.rejects(waited, /no longer wanted/);
});

test("a token may be fetched when it is needed", async (context) => {
  const { asked, url } = await scripted(context, ok);
  await new Scoreboard(url, { token: async () => "fresh" }).board("game", "main").top();
  assert.equal(asked[0].headers.authorization, "Bearer fresh");
});

test("ids go into addresses whole", async (context) => {
  const { asked, url } = await scripted(context, ok);
  await new Scoreboard(`${url}/scores`).board("game", "main").standing("a/b?c é", { season: "2026-W47", region: undefined });
  assert.equal(asked[0].url, "/scores/v1/apps/game/boards/main/players/a%2Fb%3Fc%20%C3%A9?season=2026-W47");
});

test("a score that JavaScript does not hold exactly is not sent", async () => {
  const board = new Scoreboard("http://127.0.0.1").board("game", "main");
  for (const score of [1.5, 2 ** 53, NaN, "5"]) await assert.rejects(board.score("alice", score), TypeError);
  await assert.rejects(board.batch([{ player: "alice", increment: 0.5 }]), TypeError);
});

test("where there is no WebSocket, live() says what to do", () => {
  const board = new Scoreboard("http://127.0.0.1", { WebSocket: undefined }).board("game", "main");
  assert.throws(() => board.live({ onTop() {} }), /give one/);
});

test("the declarations name what there is, and nothing else", async () => {
  const declared = await readFile(new URL("../index.d.ts", import.meta.url), "utf8");
  const classes = [...declared.matchAll(/^export declare class (\w+)[^{]*\{\n(.*?)^\}/gms)];
  assert.deepEqual(classes.map((found) => found[1]).sort(), Object.keys(client).sort());
  for (const [, name, body] of classes) {
    const methods = [...body.matchAll(/^ {2}(?:get )?(\w+)\(/gm)].map((found) => found[1]);
    const real = Object.getOwnPropertyNames(client[name].prototype);
    assert.deepEqual([...new Set(["constructor", ...methods])].sort(), real.sort(), name);
  }
});
