// Run: node --test clients/javascript/test/request.test.js
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";

import * as client from "../src/scoreboard.js";

const { Scoreboard, ScoreboardError } = client;

/** Create a clock whose waits end at once and are recorded. */
function instantClock() {
  const waits = [];
  let now = 1_000_000;
  const setTimeout = (run, ms) => {
    waits.push(ms);
    now += ms;
    return setImmediate(run);
  };
  return { waits, now: () => now, setTimeout, clearTimeout: clearImmediate };
}

/** Start a server that sends these responses in order and records the requests. */
async function scripted(context, ...responses) {
  const requests = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
      requests.push({ url: request.url, headers: request.headers, body });
      const [status, headers, text] = responses[Math.min(requests.length, responses.length) - 1];
      if (status === "hang up") request.socket.destroy();
      else if (status !== "no response") response.writeHead(status, headers).end(text);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.closeAllConnections() ?? server.close());
  return { requests, url: `http://127.0.0.1:${server.address().port}` };
}

const ok = [200, {}, '{"status": "applied"}'];
const busy = (retryAfter) => [503, { "Retry-After": retryAfter }, '{"code": "busy", "detail": "Come back."}'];

test("network failures, 503 and 429 are retried with the same key", async (context) => {
  const limited = [429, { "Retry-After": "1" }, '{"code": "rate_limited", "detail": "Slower."}'];
  const { requests, url } = await scripted(context, ["hang up"], busy("1"), limited, ok);
  const board = new Scoreboard(url, { clock: instantClock() }).board("game", "main");
  assert.deepEqual(await board.increment("alice", 5), { status: "applied" });
  assert.equal(requests.length, 4);
  const keys = requests.map(({ headers }) => headers["idempotency-key"]);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.equal(new Set(keys).size, 1);
  assert.equal(new Set(requests.map(({ body }) => body)).size, 1);
  await board.increment("alice", 5);
  assert.notEqual(requests[4].headers["idempotency-key"], keys[0], "the next update has another key");
});

test("waits double with jitter, and last at least Retry-After", async (context) => {
  const { url } = await scripted(context, busy("3"), busy("0"), busy("0"), ok);
  const clock = instantClock();
  await new Scoreboard(url, { clock, random: () => 0.5 }).board("game", "main").top();
  assert.deepEqual(clock.waits, [3_000, 1_000, 2_000]);
});

test("after retryFor the last error is thrown with the key", async (context) => {
  const { requests, url } = await scripted(context, busy("4"));
  const clock = instantClock();
  const board = new Scoreboard(url, { clock, retryFor: 10_000 }).board("game", "main");
  await assert.rejects(board.score("alice", 1, { idempotencyKey: "mine" }), (error) => {
    assert.ok(error instanceof ScoreboardError);
    const { status, code, detail, retryAfter, idempotencyKey, retryable } = error;
    assert.deepEqual({ status, code, detail, retryAfter, idempotencyKey, retryable },
      { status: 503, code: "busy", detail: "Come back.", retryAfter: 4_000, idempotencyKey: "mine", retryable: true });
    return true;
  });
  assert.equal(requests.length, 3);
  assert.ok(clock.waits.reduce((sum, ms) => sum + ms, 0) < 10_000);
});

test("a wait beyond retryFor is not started", async (context) => {
  const { requests, url } = await scripted(context, busy("3600"));
  await assert.rejects(new Scoreboard(url).board("game", "main").top(), { code: "busy", retryAfter: 3_600_000 });
  assert.equal(requests.length, 1);
});

test("other statuses are not retried", async (context) => {
  for (const status of [400, 401, 403, 404, 409, 500, 502]) {
    const { requests, url } = await scripted(context, [status, {}, "<html>from a proxy</html>"]);
    await assert.rejects(new Scoreboard(url).board("game", "main").top(), { status, code: `http_${status}` });
    assert.equal(requests.length, 1, String(status));
  }
});

test("timeouts are retried, then thrown", async (context) => {
  const { requests, url } = await scripted(context, ["no response"]);
  const board = new Scoreboard(url, { timeout: 50, retryFor: 5_000, clock: instantClock(), random: () => 0.9 }).board("game", "main");
  await assert.rejects(board.top(), { status: null, code: "timeout" });
  assert.ok(requests.length > 1);
});

test("an unreachable server has a short message", async (context) => {
  const { url } = await scripted(context, ["hang up"]);
  const board = new Scoreboard(url, { retryFor: 0 }).board("game", "main");
  await assert.rejects(board.top(), { status: null, code: "unreachable", message: `${url} is unreachable (unreachable)` });
});

test("a response that is not JSON is an error", async (context) => {
  const { url } = await scripted(context, [200, {}, "<html>"]);
  await assert.rejects(new Scoreboard(url).board("game", "main").top(), { code: "not_json" });
});

test("a signal aborts a request and a wait", async (context) => {
  const silent = await scripted(context, ["no response"]);
  const asking = new AbortController();
  const running = new Scoreboard(silent.url).board("game", "main").top({ signal: asking.signal });
  setTimeout(() => asking.abort(new Error("no longer wanted")), 20);
  await assert.rejects(running, /no longer wanted/);
  const full = await scripted(context, busy("20"));
  const waiting = new AbortController();
  const waited = new Scoreboard(full.url).board("game", "main").top({ signal: waiting.signal });
  setTimeout(() => waiting.abort(new Error("no longer wanted")), 100);
  await assert.rejects(waited, /no longer wanted/);
});

test("a token function is called for a request", async (context) => {
  const { requests, url } = await scripted(context, ok);
  await new Scoreboard(url, { token: async () => "fresh" }).board("game", "main").top();
  assert.equal(requests[0].headers.authorization, "Bearer fresh");
});

test("ids are encoded in addresses", async (context) => {
  const { requests, url } = await scripted(context, ok);
  await new Scoreboard(`${url}/scores`).board("game", "main").standing("a/b?c é", { season: "2026-W47", region: undefined });
  assert.equal(requests[0].url, "/scores/v1/apps/game/boards/main/players/a%2Fb%3Fc%20%C3%A9?season=2026-W47");
});

test("inexact scores are rejected", async () => {
  const board = new Scoreboard("http://127.0.0.1").board("game", "main");
  for (const score of [1.5, 2 ** 53, NaN, "5"]) await assert.rejects(board.score("alice", score), TypeError);
  await assert.rejects(board.batch([{ player: "alice", increment: 0.5 }]), TypeError);
});

test("live() without WebSocket explains the remedy", () => {
  const board = new Scoreboard("http://127.0.0.1", { WebSocket: undefined }).board("game", "main");
  assert.throws(() => board.live({ onTop() {} }), /pass an implementation/);
});

test("the type declarations match the classes", async () => {
  const declared = await readFile(new URL("../index.d.ts", import.meta.url), "utf8");
  const classes = [...declared.matchAll(/^export declare class (\w+)[^{]*\{\n(.*?)^\}/gms)];
  assert.deepEqual(classes.map((found) => found[1]).sort(), Object.keys(client).sort());
  for (const [, name, body] of classes) {
    const methods = [...body.matchAll(/^ {2}(?:get )?(\w+)\(/gm)].map((found) => found[1]);
    const real = Object.getOwnPropertyNames(client[name].prototype);
    assert.deepEqual([...new Set(["constructor", ...methods])].sort(), real.sort(), name);
  }
});
