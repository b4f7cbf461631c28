/**
 * The client of a Scoreboard service, for browsers and Node. Answers are those of the HTTP API, field by field;
 * scores are numbers, or BigInt on boards whose totals may leave the safe integers.
 */

import { Connection } from "./connection.js";
import { Requests, ScoreboardError, exact, wallClock } from "./request.js";

export { ScoreboardError };

const segment = encodeURIComponent;

export class Scoreboard {
  #options;
  #requests;

  /**
   * @param {string | URL} url where the service answers, such as `https://scores.example`
   * @param {object} [options]
   * @param {string | (() => string | Promise<string>)} [options.token]
   * @param {number} [options.timeout] milliseconds that one try may take
   * @param {number} [options.retryFor] milliseconds after which no further try is made
   * @param {typeof fetch} [options.fetch]
   * @param {typeof WebSocket} [options.WebSocket]
   */
  constructor(url, options = {}) {
    const fetch = (...request) => globalThis.fetch(...request);
    const base = String(url).replace(/\/?$/, "/");
    const usual = { timeout: 10_000, retryFor: 30_000, fetch, WebSocket: globalThis.WebSocket, clock: wallClock, random: Math.random };
    this.#options = { ...usual, ...options, url: new URL(base).href };
    this.#requests = new Requests(this.#options);
  }

  board(app, board) {
    return new Board(this.#options, this.#requests, app, board);
  }

  /** The boards that everybody may read: the one asked for, or else the first, its seasons, and up to `limit` to choose from. */
  publicBoards({ app, board, limit, signal } = {}) {
    return this.#requests.send("GET", "v1/page", { query: { app, board, limit }, signal });
  }

  /** The outcome of one update. */
  event(app, event, { signal } = {}) {
    return this.#requests.send("GET", `v1/apps/${segment(app)}/events/${segment(event)}`, { signal });
  }
}

export class Board {
  #options;
  #requests;
  #path;

  constructor(options, requests, app, board) {
    this.app = app;
    this.board = board;
    this.#options = options;
    this.#requests = requests;
    this.#path = `v1/apps/${segment(app)}/boards/${segment(board)}`;
  }

  /** Add points. `player` is null for the player that the token speaks for. */
  async increment(player, points, options) {
    return this.#update(player, { increment: exact(points) }, options);
  }

  /** Send a score, for the board to keep the best or the latest. */
  async score(player, score, options) {
    return this.#update(player, { score: exact(score) }, options);
  }

  /** Tell what the player did; the server knows what it is worth. */
  async action(player, action, options) {
    return this.#update(player, { action }, options);
  }

  #update(player, value, { region, metadata, idempotencyKey, signal } = {}) {
    const update = { ...(player !== null && { player }), ...value, region, metadata };
    return this.#post("scores", update, { key: idempotencyKey ?? newKey(), signal });
  }

  /** Up to 1,000 updates, in order, each with its own result; for a server's token. */
  async batch(updates, { idempotencyKey, signal } = {}) {
    return this.#post("scores/batch", { updates: updates.map(wireUpdate) }, { key: idempotencyKey ?? newKey(), signal });
  }

  /** One page of the standings, best first; `next_cursor` leads to the next. */
  top({ limit, cursor, season, region, signal } = {}) {
    return this.#get("top", { limit, cursor, season, region }, signal);
  }

  /** Every standing, best first, fetched page by page as it is asked for. */
  async *entries({ pageSize = 100, season, region, signal } = {}) {
    let cursor = null;
    do {
      const page = await this.top({ limit: pageSize, cursor, season, region, signal });
      yield* page.entries;
      cursor = page.next_cursor;
    } while (cursor !== null);
  }

  /** One player's standing: rank, score, ties, percentile, gap to the next. */
  standing(player, { season, region, signal } = {}) {
    return this.#get(`players/${segment(player)}`, { season, region }, signal);
  }

  /** A player among `radius` neighbours on each side. */
  around(player, { radius, season, region, signal } = {}) {
    return this.#get(`players/${segment(player)}/around`, { radius, season, region }, signal);
  }

  /** The standings of a set of players, such as friends, and who has none. */
  query(players, { season, region, signal } = {}) {
    return this.#post("players/query", { players }, { query: { season, region }, signal });
  }

  /**
   * Follow the live top N. It comes back by itself and resumes where it was; `close()` ends it.
   *
   * @param {object} options season, region, position, onTop, onState
   * @returns {Connection}
   */
  live({ season, region, position, onTop, onState = () => {} }) {
    const { url, token, WebSocket, clock, random } = this.#options;
    if (!WebSocket) throw new TypeError("there is no WebSocket here: use Node 22, or give one to new Scoreboard(url, { WebSocket })");
    const subscription = { app: this.app, board: this.board, ...(season && { season }), ...(region && { region }) };
    const address = new URL("v1/live", url.replace(/^http/, "ws")).href;
    const connection = new Connection({ url: address, token, subscription, position, onTop, onState, WebSocket, clock, random });
    connection.open();
    return connection;
  }

  #get(path, query, signal) {
    return this.#requests.send("GET", `${this.#path}/${path}`, { query, signal });
  }

  #post(path, body, rest) {
    return this.#requests.send("POST", `${this.#path}/${path}`, { body: JSON.stringify(body), ...rest });
  }
}

function wireUpdate({ idempotencyKey, ...update }) {
  for (const name of ["increment", "score"]) if (update[name] != null) update[name] = exact(update[name]);
  return { ...update, idempotency_key: idempotencyKey };
}

/** 128 random bits. Not randomUUID(): pages without https have none. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
