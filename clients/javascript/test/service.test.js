// Tests of the client against the service at SCOREBOARD_TEST_URL, run by tests/web/test_javascript_client.py.
import assert from "node:assert/strict";
import { createServer, request as forward } from "node:http";
import { connect, createServer as createRelay } from "node:net";
import { test } from "node:test";

import { Scoreboard } from "../src/scoreboard.js";

const { SCOREBOARD_TEST_URL: url, SCOREBOARD_TEST_TOKEN: token, SCOREBOARD_TEST_PLAYER_TOKEN: playerToken } = process.env;
const scoreboard = new Scoreboard(url, { token });

const listening = async (server) => {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}`;
};

test("updates are applied and have an outcome", async () => {
  const board = scoreboard.board("game", "updates");
  const first = await board.increment("alice", 5, { region: "eu", metadata: { level: 3 } });
  assert.deepEqual([first.status, first.player, first.score, first.previous_score, first.rank], ["applied", "alice", 5, null, 1]);
  assert.equal((await board.increment("alice", -2n)).score, 3);
  assert.equal((await board.action("alice", "quest")).score, 28);
  assert.equal((await scoreboard.board("game", "best").score("alice", 900)).score, 900);
  const outcome = await scoreboard.event("game", first.event);
  assert.deepEqual([outcome.status, outcome.board, outcome.player, outcome.score], ["applied", "updates", "alice", 5]);
  assert.deepEqual((await board.top({ region: "eu" })).entries.map(({ player, score }) => [player, score]), [["alice", 5]]);
});

test("a player's token updates its own player only", async () => {
  const board = new Scoreboard(url, { token: () => playerToken }).board("game", "updates");
  assert.equal((await board.action(null, "quest")).player, "pat");
  await assert.rejects(board.action("alice", "quest"), { status: 403, code: "wrong_player", retryable: false });
});

test("an update without a response is retried and counts once", async (context) => {
  let lost = 0;
  const proxy = createServer((request, response) => {
    const { method, headers, url: path } = request;
    const onward = forward(`${url}${path}`, { method, headers }, (answer) => {
      answer.resume().on("end", () => {
        if (lost < 2) {
          lost += 1;
          request.socket.destroy(); // the update was applied, but the client gets no response
        } else forward(`${url}/v1/apps/game/boards/lost/players/alice`, (standing) => standing.pipe(response)).end();
      });
    });
    request.pipe(onward);
  });
  const board = new Scoreboard(await listening(proxy), { token, random: () => 0 }).board("game", "lost");
  context.after(() => proxy.closeAllConnections() ?? proxy.close());
  assert.equal((await board.increment("alice", 5)).score, 5);
  assert.equal(lost, 2);
  assert.equal((await scoreboard.board("game", "lost").standing("alice")).score, 5);
});

test("a batch has a result for each update and counts once per key", async () => {
  const board = scoreboard.board("game", "batch");
  const updates = [{ player: "ann", increment: 3 }, { player: "bob", action: "no-such" }, { player: "cid", increment: 2n }];
  const send = () => board.batch(updates, { idempotencyKey: "batch-1" });
  const answer = await send();
  assert.deepEqual([answer.applied, answer.refused], [2, 1]);
  assert.deepEqual(answer.results.map(({ status, code }) => code ?? status), ["applied", "unknown_action", "applied"]);
  assert.ok((await send()).results[0].replayed);
  assert.equal((await board.standing("ann")).score, 3);
});

test("reads return standings, a player, neighbours and friends", async () => {
  const board = scoreboard.board("game", "reads");
  await board.batch(Array.from({ length: 25 }, (_, place) => ({ player: `p${place}`, increment: 100 - place })));
  const all = [];
  for await (const entry of board.entries({ pageSize: 10 })) all.push(entry);
  assert.deepEqual(all.map(({ rank, player }) => `${rank}:${player}`), Array.from({ length: 25 }, (_, place) => `${place + 1}:p${place}`));
  const standing = await board.standing("p3");
  assert.deepEqual([standing.rank, standing.total, standing.gap_to_next, standing.percentile], [4, 25, 1, 87.5]);
  assert.deepEqual((await board.around("p0", { radius: 1 })).entries.map(({ player }) => player), ["p0", "p1", "p2"]);
  const friends = await board.query(["p7", "nobody", "p2"]);
  assert.deepEqual([friends.entries.map(({ player }) => player), friends.not_found], [["p2", "p7"], ["nobody"]]);
  await assert.rejects(board.standing("nobody"), { status: 404, code: "player_not_found" });
});

test("scores of a wide board are exact", async () => {
  const board = scoreboard.board("game", "wide");
  const most = 9_223_372_036_854_775_807n;
  assert.equal((await board.score("alice", most)).score, most);
  await board.score("bob", most - 1n);
  assert.deepEqual((await board.top()).entries.map(({ score }) => score), [most, most - 1n]);
  assert.equal((await board.standing("bob")).gap_to_next, 1n);
});

test("public boards are listed without private ones", async () => {
  const { shown, seasons, boards } = await new Scoreboard(url).publicBoards({ app: "game", board: "reads" });
  assert.deepEqual([shown.board, shown.top_n, seasons], ["reads", 10, ["all"]]);
  assert.ok(boards.every(({ board }) => board !== "private"));
});

/** Start a TCP relay to the service. `cut` closes its connections. */
async function relay(context) {
  const open = new Set();
  const { hostname, port } = new URL(url);
  const server = createRelay((near) => {
    const far = connect(port, hostname);
    for (const socket of [near, far]) socket.on("error", () => {}).on("close", () => [near, far].forEach((one) => one.destroy()));
    near.pipe(far);
    far.pipe(near);
    open.add(near);
  });
  const cut = () => open.forEach((socket) => socket.destroy());
  context.after(() => {
    cut();
    server.close();
  });
  return { cut, url: await listening(server) };
}

/** Record the tops and states of a live board. `until` waits for a condition. */
function watch(board, options = {}) {
  const seen = { tops: [], states: [], wake: () => {} };
  const until = async (holds) => {
    while (!holds()) await new Promise((resolve) => (seen.wake = resolve));
  };
  const live = board.live({
    ...options,
    onTop: (top) => seen.wake(seen.tops.push(top)),
    onState: (state) => seen.wake(seen.states.push(state.name)),
  });
  return { ...seen, live, until, wake: undefined };
}

test("live: a reconnection causes neither a gap nor a repetition", { timeout: 60_000 }, async (context) => {
  const board = scoreboard.board("game", "live");
  await board.increment("alice", 5);
  const line = await relay(context);
  const watched = watch(new Scoreboard(line.url, { random: () => 0.1 }).board("game", "live"));
  context.after(() => watched.live.close());
  await watched.until(() => watched.tops.length === 1);
  assert.equal(watched.live.state.name, "live");
  await board.increment("bob", 9);
  await watched.until(() => watched.tops.length === 2);
  assert.deepEqual(watched.tops[1].changes.map(({ player, rank }) => [player, rank]), [["bob", 1], ["alice", 2]]);

  line.cut();
  await watched.until(() => watched.states.filter((name) => name === "live").length === 2);
  assert.ok(watched.states.includes("waiting"));
  assert.equal(watched.tops.length, 2, "the newest top is not sent again");

  line.cut();
  await watched.until(() => watched.live.state.name === "waiting");
  await board.increment("cid", 20);
  await watched.until(() => watched.tops.length === 3);
  assert.equal(watched.tops[2].entries[0].player, "cid");
  const offsets = watched.tops.map(({ offset }) => offset);
  assert.deepEqual(offsets, offsets.toSorted((a, b) => a - b));
});

test("live: the top of a given position is not sent again", { timeout: 60_000 }, async (context) => {
  const board = scoreboard.board("game", "resume");
  await board.increment("alice", 5);
  const first = watch(board);
  await first.until(() => first.tops.length === 1);
  const { position } = first.live;
  const second = watch(board, { position });
  context.after(() => [first, second].forEach(({ live }) => live.close()));
  await second.until(() => second.live.state.name === "live");
  assert.deepEqual([second.tops.length, second.live.position], [0, position]);
});

test("live: private boards need a token, missing boards are refused", { timeout: 60_000 }, async (context) => {
  await scoreboard.board("game", "private").increment("alice", 5);
  const stranger = watch(new Scoreboard(url).board("game", "private"));
  const friend = watch(scoreboard.board("game", "private"));
  const lost = watch(scoreboard.board("game", "no-such"));
  context.after(() => [stranger, friend, lost].forEach(({ live }) => live.close()));
  await stranger.until(() => stranger.live.state.name === "refused");
  await friend.until(() => friend.live.state.name === "live");
  await lost.until(() => lost.live.state.name === "refused");
  assert.equal(lost.live.state.code, "board_not_found");
  assert.equal(stranger.tops.length, 0);
});
