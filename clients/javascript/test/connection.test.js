// Run: node --test clients/javascript/test/connection.test.js
import assert from "node:assert/strict";
import { test } from "node:test";

import { Connection, PING_EVERY, REFUSED_WAIT, RESPONSE_TIMEOUT, mayReconnect } from "../src/connection.js";
import { WAIT_CAP, backoff } from "../src/request.js";

/** A clock that tests advance. */
class Clock {
  #now = 1_000_000;
  #next = 1;
  #timers = new Map();
  now = () => this.#now;
  setTimeout = (run, ms) => {
    this.#timers.set(this.#next, { at: this.#now + ms, run });
    return this.#next++;
  };
  clearTimeout = (id) => this.#timers.delete(id);
  get pending() {
    return this.#timers.size;
  }
  advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].run();
    }
    this.#now = end;
  }
  /** Let time pass without running timers, as when the machine sleeps. */
  sleep(ms) {
    this.#now += ms;
  }
}

/** Create a connection whose sockets the test controls as their server. */
function setUp({ random = () => 0.5, ...options } = {}) {
  const world = { clock: new Clock(), sockets: [], states: [], tops: [] };
  class Socket {
    readyState = 0;
    sent = [];
    constructor(url) {
      this.url = url;
      world.sockets.push(this);
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close() {
      this.readyState = 3;
    }
    open() {
      this.readyState = 1;
      this.onopen({});
    }
    receive(message) {
      this.onmessage({ data: JSON.stringify(message) });
    }
    end(code, reason = "") {
      this.readyState = 3;
      this.onclose({ code, reason });
    }
  }
  world.connection = new Connection({
    url: "ws://test/v1/live",
    subscription: { app: "demo", board: "main" },
    onTop: (message) => world.tops.push(message),
    onState: (state) => world.states.push(state.name),
    WebSocket: Socket,
    clock: world.clock,
    random,
    ...options,
  });
  Object.defineProperty(world, "socket", { get: () => world.sockets.at(-1) });
  Object.defineProperty(world, "state", { get: () => world.connection.state });
  world.goLive = () => {
    if (world.state.name === "idle") world.connection.open();
    world.socket.open();
    world.socket.receive({ type: "subscribed", app: "demo", board: "main", recovered: false, epoch: "a", offset: 1 });
    world.socket.receive(top());
  };
  return world;
}

const top = (offset = 1, epoch = "a") => ({ type: "top", app: "demo", board: "main", epoch, offset, entries: [] });
const pings = (socket) => socket.sent.filter((message) => message.type === "ping").length;

test("backoff: full jitter, doubling, capped", () => {
  const most = () => 0.999999;
  assert.deepEqual([0, 1, 2, 3, 4].map((n) => Math.ceil(backoff(n, most) / 1000)), [1, 2, 4, 8, 16]);
  assert.ok(backoff(5, most) < WAIT_CAP && backoff(5, most) > WAIT_CAP - 100);
  assert.ok(backoff(2000, most) < WAIT_CAP, "no overflow");
  assert.equal(backoff(9, () => 0), 0, "jitter includes 0");
});

test("only close codes 1009 and 4500-4999 forbid to reconnect", () => {
  for (const code of [1000, 1001, 1006, 1011, 1012, 4000, 4001, 4002, 4003, 4499, 5000]) assert.ok(mayReconnect(code), String(code));
  for (const code of [1009, 4500, 4501, 4502, 4777, 4999]) assert.ok(!mayReconnect(code), String(code));
});

test("the state is live once the top has arrived", () => {
  const world = setUp();
  world.connection.open();
  assert.equal(world.state.name, "connecting");
  world.socket.open();
  assert.deepEqual(world.socket.sent, [{ type: "subscribe", app: "demo", board: "main" }]);
  world.socket.receive({ type: "subscribed", app: "demo", board: "main", recovered: false, epoch: "a", offset: 1 });
  assert.equal(world.state.name, "connecting");
  world.socket.receive(top());
  assert.equal(world.state.name, "live");
  assert.equal(world.tops.length, 1);
});

test("messages of other boards and invalid JSON are ignored", () => {
  const world = setUp();
  world.goLive();
  world.socket.receive({ ...top(2), board: "other" });
  world.socket.onmessage({ data: "{" });
  assert.equal(world.tops.length, 1);
  assert.equal(world.state.name, "live");
});

test("it reconnects with its position, and is live once recovered", () => {
  const world = setUp();
  world.goLive();
  world.socket.receive(top(41));
  world.socket.end(1012);
  assert.equal(world.state.name, "waiting");
  assert.equal(world.state.until, world.clock.now() + 500);
  world.clock.advance(500);
  assert.equal(world.sockets.length, 2);
  world.socket.open();
  assert.deepEqual(world.socket.sent[0].position, { epoch: "a", offset: 41 });
  world.socket.receive({ type: "subscribed", app: "demo", board: "main", recovered: true, epoch: "a", offset: 41 });
  assert.equal(world.state.name, "live");
});

test("a recovery at another position is not live and not resumed again", () => {
  const world = setUp();
  world.goLive();
  world.socket.end(1006);
  world.clock.advance(500);
  world.socket.open();
  world.socket.receive({ type: "subscribed", app: "demo", board: "main", recovered: true, epoch: "a", offset: 9 });
  assert.equal(world.state.name, "connecting");
  world.clock.advance(RESPONSE_TIMEOUT);
  assert.equal(world.state.name, "waiting");
  world.clock.advance(1000);
  world.socket.open();
  assert.equal("position" in world.socket.sent[0], false, "it requests the whole board");
});

test("the waits grow with each failure and are reset by a stable connection", () => {
  const world = setUp();
  world.connection.open();
  const waits = [];
  for (let i = 0; i < 8; i += 1) {
    world.socket.end(1006);
    waits.push(world.state.until - world.clock.now());
    world.clock.advance(waits.at(-1));
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  world.goLive();
  world.socket.end(4003);
  assert.equal(world.state.until - world.clock.now(), 15000, "a short-lived connection does not reset the backoff");
  world.clock.advance(15000);
  world.goLive();
  world.clock.advance(10_000);
  world.socket.end(1001);
  assert.equal(world.state.until - world.clock.now(), 500);
});

test("wake connects at once, only while waiting", () => {
  const world = setUp();
  world.goLive();
  world.socket.end(1006);
  world.connection.wake();
  assert.equal(world.state.name, "connecting");
  assert.equal(world.sockets.length, 2);
  world.connection.wake();
  world.clock.advance(500);
  assert.equal(world.sockets.length, 2, "the cancelled wait does not connect again");
});

test("close codes 4500-4999 stop it with a reason until the viewer retries", () => {
  const world = setUp();
  world.goLive();
  world.socket.end(4501);
  assert.equal(world.state.name, "stopped");
  assert.equal(world.state.code, 4501);
  assert.match(world.state.reason, /not allowed/);
  world.connection.wake();
  world.clock.advance(3_600_000);
  assert.equal(world.sockets.length, 1);
  assert.equal(world.clock.pending, 0);
  world.connection.retry();
  assert.equal(world.state.name, "connecting");
});

test("the reason of the server is kept", () => {
  const world = setUp();
  world.goLive();
  world.socket.end(4999, "gone for good");
  assert.equal(world.state.reason, "gone for good");
});

test("it pings every 15 s and stays live when answered", () => {
  const world = setUp();
  world.goLive();
  for (let i = 1; i <= 4; i += 1) {
    world.clock.advance(PING_EVERY);
    assert.equal(pings(world.socket), i);
    world.socket.receive({ type: "pong" });
    assert.equal(world.state.name, "live");
  }
  assert.equal(world.sockets.length, 1);
});

test("an unanswered ping ends the connection", () => {
  const world = setUp();
  world.goLive();
  world.clock.advance(PING_EVERY + RESPONSE_TIMEOUT - 1);
  assert.equal(world.state.name, "live");
  world.clock.advance(1);
  assert.equal(world.state.name, "waiting");
  assert.equal(world.sockets[0].readyState, 3, "the dead socket is closed");
  world.sockets[0].onmessage({ data: JSON.stringify(top(99)) });
  assert.equal(world.tops.length, 1, "its messages are ignored");
});

test("after sleep it is live only once the server answers", () => {
  const world = setUp();
  world.goLive();
  world.clock.sleep(3_600_000);
  world.connection.wake();
  assert.equal(world.state.name, "silent");
  assert.equal(pings(world.socket), 1);
  world.socket.receive({ type: "pong" });
  assert.equal(world.state.name, "live");
  world.clock.sleep(3_600_000);
  world.connection.wake();
  world.clock.advance(RESPONSE_TIMEOUT);
  assert.equal(world.state.name, "waiting");
});

test("a handshake or a subscription without an answer times out", () => {
  const world = setUp();
  world.connection.open();
  world.clock.advance(RESPONSE_TIMEOUT);
  assert.equal(world.state.name, "waiting");
  world.clock.advance(500);
  world.socket.open();
  world.clock.advance(RESPONSE_TIMEOUT);
  assert.equal(world.state.name, "waiting");
});

test("a refused subscription is retried on the same socket", () => {
  const world = setUp({ random: () => 0 });
  world.connection.open();
  world.socket.open();
  world.socket.receive({ type: "error", code: "board_not_found", detail: "No such board." });
  assert.deepEqual(world.state, { name: "refused", code: "board_not_found", detail: "No such board." });
  world.clock.advance(PING_EVERY);
  world.socket.receive({ type: "pong" });
  assert.equal(world.state.name, "refused", "a pong is no top");
  world.clock.advance(REFUSED_WAIT - PING_EVERY);
  assert.equal(world.socket.sent.filter((message) => message.type === "subscribe").length, 2);
  world.socket.receive(top());
  assert.equal(world.state.name, "live");
  assert.equal(world.sockets.length, 1);
});

test("an error ends the state live", () => {
  const world = setUp();
  world.goLive();
  world.socket.receive({ type: "error", code: "board_not_found", detail: "" });
  assert.equal(world.state.name, "refused");
});

test("close stops all timers and the socket", () => {
  const world = setUp();
  world.goLive();
  world.connection.close();
  assert.equal(world.state.name, "idle");
  assert.equal(world.clock.pending, 0);
  assert.equal(world.socket.readyState, 3);
});

test("an invalid address waits like any failure", () => {
  const world = setUp();
  const states = [];
  const connection = new Connection({
    url: "nonsense", subscription: {}, onTop() {}, onState: (state) => states.push(state.name),
    clock: world.clock, random: () => 0.5,
    WebSocket: class { constructor() { throw new SyntaxError("bad address"); } },
  });
  connection.open();
  assert.deepEqual(states, ["connecting", "waiting"]);
  assert.equal(connection.state.reason, "bad address");
});

test("older or equal offsets of an epoch are dropped, a new epoch is applied", () => {
  const world = setUp();
  world.goLive();
  world.socket.receive(top(7));
  for (const late of [top(7), top(6)]) world.socket.receive(late);
  world.socket.receive(top(1, "b"));
  assert.deepEqual(world.tops.map(({ epoch, offset }) => [epoch, offset]), [["a", 1], ["a", 7], ["b", 1]]);
  assert.deepEqual(world.connection.position, { epoch: "b", offset: 1 });
});

test("a given position is resumed at the first connection", () => {
  const world = setUp({ position: { epoch: "a", offset: 4 } });
  world.connection.open();
  world.socket.open();
  assert.deepEqual(world.socket.sent[0].position, { epoch: "a", offset: 4 });
  world.socket.receive({ type: "subscribed", app: "demo", board: "main", recovered: true, epoch: "a", offset: 4 });
  assert.equal(world.state.name, "live");
});

test("scores sent as strings keep every digit", () => {
  const world = setUp();
  world.connection.open();
  world.socket.open();
  world.socket.receive({ ...top(), entries: [{ player: "ann", username: "12", score: "9223372036854775807" }] });
  assert.deepEqual(world.tops[0].entries[0], { player: "ann", username: "12", score: 9223372036854775807n });
});

test("each connection fetches a token and authenticates before it subscribes", async () => {
  let issued = 0;
  const world = setUp({ token: async () => `token ${(issued += 1)}` });
  world.connection.open();
  for (const number of [1, 2]) {
    world.socket.open();
    await Promise.resolve();
    await Promise.resolve();
    assert.deepEqual(world.socket.sent.map(({ type, token }) => [type, token]), [["authenticate", `token ${number}`], ["subscribe", undefined]]);
    world.socket.end(1006);
    world.clock.advance(1_000);
  }
});

test("a failure to fetch the token is retried", async () => {
  const world = setUp({ token: () => Promise.reject(new Error("no session")) });
  world.connection.open();
  world.socket.open();
  await new Promise(setImmediate);
  assert.deepEqual([world.state.name, world.state.reason], ["waiting", "no session"]);
});
