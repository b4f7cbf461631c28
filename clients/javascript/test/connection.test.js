// Run: node --test clients/javascript/test/connection.test.js
import assert from "node:assert/strict";
import { test } from "node:test";

import { ANSWER_WITHIN, Connection, PING_EVERY, REFUSED_WAIT, mayReturn } from "../src/connection.js";
import { WAIT_CAP, backoff } from "../src/request.js";

/** A clock that moves only when told to. */
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
  /** The machine sleeps: time goes by and no timer runs. */
  sleep(ms) {
    this.#now += ms;
  }
}

/** A connection over sockets that the test plays the server of. */
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
    say(message) {
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
    world.socket.say({ type: "subscribed", app: "demo", board: "main", recovered: false, epoch: "a", offset: 1 });
    world.socket.say(top());
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
  assert.equal(backoff(9, () => 0), 0, "jitter reaches down to nothing");
});

test("only close codes 1009 and 4500-4999 forbid a return", () => {
  for (const code of [1000, 1001, 1006, 1011, 1012, 4000, 4001, 4002, 4003, 4499, 5000]) assert.ok(mayReturn(code), String(code));
  for (const code of [1009, 4500, 4501, 4502, 4777, 4999]) assert.ok(!mayReturn(code), String(code));
});

test("live only once the board is here", () => {
  const world = setUp();
  world.connection.open();
  assert.equal(world.state.name, "connecting");
  world.socket.open();
  assert.deepEqual(world.socket.sent, [{ type: "subscribe", app: "demo", board: "main" }]);
  world.socket.say({ type: "subscribed", app: "demo", board: "main", recovered: false, epoch: "a", offset: 1 });
  assert.equal(world.state.name, "connecting");
  world.socket.say(top());
  assert.equal(world.state.name, "live");
  assert.equal(world.tops.length, 1);
});

test("another board's messages and text that is no JSON are passed over", () => {
  const world = setUp();
  world.goLive();
  world.socket.say({ ...top(2), board: "other" });
  world.socket.onmessage({ data: "{" });
  assert.equal(world.tops.length, 1);
  assert.equal(world.state.name, "live");
});

test("comes back by itself, with its position; recovered means live at once", () => {
  const world = setUp();
  world.goLive();
  world.socket.say(top(41));
  world.socket.end(1012);
  assert.equal(world.state.name, "waiting");
  assert.equal(world.state.until, world.clock.now() + 500);
  world.clock.advance(500);
  assert.equal(world.sockets.length, 2);
  world.socket.open();
  assert.deepEqual(world.socket.sent[0].position, { epoch: "a", offset: 41 });
  world.socket.say({ type: "subscribed", app: "demo", board: "main", recovered: true, epoch: "a", offset: 41 });
  assert.equal(world.state.name, "live");
});

test("recovered to another place than ours is not live before the top arrives, and is not resumed twice", () => {
  const world = setUp();
  world.goLive();
  world.socket.end(1006);
  world.clock.advance(500);
  world.socket.open();
  world.socket.say({ type: "subscribed", app: "demo", board: "main", recovered: true, epoch: "a", offset: 9 });
  assert.equal(world.state.name, "connecting");
  world.clock.advance(ANSWER_WITHIN);
  assert.equal(world.state.name, "waiting");
  world.clock.advance(1000);
  world.socket.open();
  assert.equal("position" in world.socket.sent[0], false, "asks for the whole board now");
});

test("the waits grow while it fails, and start small again after a steady time", () => {
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
  assert.equal(world.state.until - world.clock.now(), 15000, "live for no time: an overloaded server gets no rush");
  world.clock.advance(15000);
  world.goLive();
  world.clock.advance(10_000);
  world.socket.end(1001);
  assert.equal(world.state.until - world.clock.now(), 500);
});

test("wake dials at once while waiting, and only then", () => {
  const world = setUp();
  world.goLive();
  world.socket.end(1006);
  world.connection.wake();
  assert.equal(world.state.name, "connecting");
  assert.equal(world.sockets.length, 2);
  world.connection.wake();
  world.clock.advance(500);
  assert.equal(world.sockets.length, 2, "the wait that was cut short does not dial again");
});

test("close codes 4500-4999 end it, and say why; only the viewer starts it again", () => {
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

test("the server's own reason is shown", () => {
  const world = setUp();
  world.goLive();
  world.socket.end(4999, "gone for good");
  assert.equal(world.state.reason, "gone for good");
});

test("pings every 15 s; an answer keeps it live", () => {
  const world = setUp();
  world.goLive();
  for (let i = 1; i <= 4; i += 1) {
    world.clock.advance(PING_EVERY);
    assert.equal(pings(world.socket), i);
    world.socket.say({ type: "pong" });
    assert.equal(world.state.name, "live");
  }
  assert.equal(world.sockets.length, 1);
});

test("silence past a heartbeat is not live", () => {
  const world = setUp();
  world.goLive();
  world.clock.advance(PING_EVERY + ANSWER_WITHIN - 1);
  assert.equal(world.state.name, "live");
  world.clock.advance(1);
  assert.equal(world.state.name, "waiting");
  assert.equal(world.sockets[0].readyState, 3, "the dead socket is let go");
  world.sockets[0].onmessage({ data: JSON.stringify(top(99)) });
  assert.equal(world.tops.length, 1, "and not listened to any more");
});

test("after the machine slept it is not live until the server has answered", () => {
  const world = setUp();
  world.goLive();
  world.clock.sleep(3_600_000);
  world.connection.wake();
  assert.equal(world.state.name, "silent");
  assert.equal(pings(world.socket), 1);
  world.socket.say({ type: "pong" });
  assert.equal(world.state.name, "live");
  world.clock.sleep(3_600_000);
  world.connection.wake();
  world.clock.advance(ANSWER_WITHIN);
  assert.equal(world.state.name, "waiting");
});

test("a socket that never opens, or opens and says nothing, is given up", () => {
  const world = setUp();
  world.connection.open();
  world.clock.advance(ANSWER_WITHIN);
  assert.equal(world.state.name, "waiting");
  world.clock.advance(500);
  world.socket.open();
  world.clock.advance(ANSWER_WITHIN);
  assert.equal(world.state.name, "waiting");
});

test("a refusal is shown, asked about again slowly on the same socket, and healed by a top", () => {
  const world = setUp({ random: () => 0 });
  world.connection.open();
  world.socket.open();
  world.socket.say({ type: "error", code: "board_not_found", detail: "No such board." });
  assert.deepEqual(world.state, { name: "refused", code: "board_not_found", detail: "No such board." });
  world.clock.advance(PING_EVERY);
  world.socket.say({ type: "pong" });
  assert.equal(world.state.name, "refused", "a pong is no board");
  world.clock.advance(REFUSED_WAIT - PING_EVERY);
  assert.equal(world.socket.sent.filter((message) => message.type === "subscribe").length, 2);
  world.socket.say(top());
  assert.equal(world.state.name, "live");
  assert.equal(world.sockets.length, 1);
});

test("an error while live is not live", () => {
  const world = setUp();
  world.goLive();
  world.socket.say({ type: "error", code: "board_not_found", detail: "" });
  assert.equal(world.state.name, "refused");
});

test("close leaves nothing behind", () => {
  const world = setUp();
  world.goLive();
  world.connection.close();
  assert.equal(world.state.name, "idle");
  assert.equal(world.clock.pending, 0);
  assert.equal(world.socket.readyState, 3);
});

test("an address that cannot be dialled waits like any failure", () => {
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

test("an older or equal offset in the same epoch is dropped; another epoch replaces everything", () => {
  const world = setUp();
  world.goLive();
  world.socket.say(top(7));
  for (const late of [top(7), top(6)]) world.socket.say(late);
  world.socket.say(top(1, "b"));
  assert.deepEqual(world.tops.map(({ epoch, offset }) => [epoch, offset]), [["a", 1], ["a", 7], ["b", 1]]);
  assert.deepEqual(world.connection.position, { epoch: "b", offset: 1 });
});

test("a board it is given the position of is resumed at the first dial", () => {
  const world = setUp({ position: { epoch: "a", offset: 4 } });
  world.connection.open();
  world.socket.open();
  assert.deepEqual(world.socket.sent[0].position, { epoch: "a", offset: 4 });
  world.socket.say({ type: "subscribed", app: "demo", board: "main", recovered: true, epoch: "a", offset: 4 });
  assert.equal(world.state.name, "live");
});

test("scores that came as text keep every digit", () => {
  const world = setUp();
  world.connection.open();
  world.socket.open();
  world.socket.say({ ...top(), entries: [{ player: "ann", username: "12", score: "9223372036854775807" }] });
  assert.deepEqual(world.tops[0].entries[0], { player: "ann", username: "12", score: 9223372036854775807n });
});

test("a token is shown before anything is asked for, fetched anew at each dial", async () => {
  let minted = 0;
  const world = setUp({ token: async () => `token ${(minted += 1)}` });
  world.connection.open();
  for (const dial of [1, 2]) {
    world.socket.open();
    await Promise.resolve();
    await Promise.resolve();
    assert.deepEqual(world.socket.sent.map(({ type, token }) => [type, token]), [["authenticate", `token ${dial}`], ["subscribe", undefined]]);
    world.socket.end(1006);
    world.clock.advance(1_000);
  }
});

test("a token that cannot be had is waited for like a server", async () => {
  const world = setUp({ token: () => Promise.reject(new Error("no session")) });
  world.connection.open();
  world.socket.open();
  await new Promise(setImmediate);
  assert.deepEqual([world.state.name, world.state.reason], ["waiting", "no session"]);
});
