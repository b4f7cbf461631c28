/**
 * The client of a Scoreboard service, for browsers and Node. It returns the responses of the HTTP API unchanged. Scores
 * are numbers, or BigInt on boards whose totals may exceed the safe integers.
 */

import { Connection } from "./connection.js";
import { Requests, ScoreboardError, exact, wallClock } from "./request.js";

export { ScoreboardError };

const segment = encodeURIComponent;

export class Scoreboard {
  #options;
  #requests;

  /**
   * @param {string | URL} url address of the service, such as `https://scores.example`
   * @param {object} [options]
   * @param {string | (() => string | Promise<string>)} [options.token]
   * @param {number} [options.timeout] milliseconds that one attempt may take
   * @param {number} [options.retryFor] milliseconds after which it makes no further attempt
   * @param {typeof fetch} [options.fetch]
   * @param {typeof WebSocket} [options.WebSocket]
   */
  constructor(url, options = {}) {
    const fetch = (...request) => globalThis.fetch(...request);
    const base = String(url).replace(/\/?$/, "/");
    const defaults = { timeout: 10_000, retryFor: 30_000, fetch, WebSocket: globalThis.WebSocket, clock: wallClock, random: Math.random };
    this.#options = { ...defaults, ...options, url: new URL(base).href };
    this.#requests = new Requests(this.#options);
  }

  board(app, board) {
    return new Board(this.#options, this.#requests, app, board);
  }

  /** Return up to `limit` public boards, and the requested or first one with its seasons. */
  publicBoards({ app, board, limit, signal } = {}) {
    return this.#requests.send("GET", "v1/page", { query: { app, board, limit }, signal });
  }

  /** Return the outcome of an update. */
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

  /** Add points. `player` may be null with a player's token. */
  async increment(player, points, options) {
    return this.#update(player, { increment: exact(points) }, options);
  }

  /** Send a score to a board that keeps the best or the latest one. */
  async score(player, score, options) {
    return this.#update(player, { score: exact(score) }, options);
  }

  /** Send an action of a player; the server knows its points. */
  async action(player, action, options) {
    return this.#update(player, { action }, options);
  }

  #update(player, value, { region, metadata, idempotencyKey, signal } = {}) {
    const update = { ...(player !== null && { player }), ...value, region, metadata };
    return this.#post("scores", update, { key: idempotencyKey ?? newKey(), signal });
  }

  /** Send up to 1,000 updates, applied in order, with one result each. Needs a server's token. */
  async batch(updates, { idempotencyKey, signal } = {}) {
    return this.#post("scores/batch", { updates: updates.map(toWire) }, { key: idempotencyKey ?? newKey(), signal });
  }

  /** Return one page of the standings, best first; `next_cursor` is the cursor of the next page. */
  top({ limit, cursor, season, region, signal } = {}) {
    return this.#get("top", { limit, cursor, season, region }, signal);
  }

  /** Iterate over all standings, best first; pages are fetched on demand. */
  async *entries({ pageSize = 100, season, region, signal } = {}) {
    let cursor = null;
    do {
      const page = await this.top({ limit: pageSize, cursor, season, region, signal });
      yield* page.entries;
      cursor = page.next_cursor;
    } while (cursor !== null);
  }

  /** Return the standing of a player: rank, score, ties, percentile and gap to the next score. */
  standing(player, { season, region, signal } = {}) {
    return this.#get(`players/${segment(player)}`, { season, region }, signal);
  }

  /** Return a player with `radius` neighbours on each side. */
  around(player, { radius, season, region, signal } = {}) {
    return this.#get(`players/${segment(player)}/around`, { radius, season, region }, signal);
  }

  /** Return the standings of several players, such as friends, and the players without one. */
  query(players, { season, region, signal } = {}) {
    return this.#post("players/query", { players }, { query: { season, region }, signal });
  }

  /**
   * Follow the live top N. The connection reconnects automatically and resumes, until `close()`.
   *
   * @param {object} options season, region, position, onTop, onState
   * @returns {Connection}
   */
  live({ season, region, position, onTop, onState = () => {} }) {
    const { url, token, WebSocket, clock, random } = this.#options;
    if (!WebSocket) throw new TypeError("WebSocket is not available; use Node 22, or pass an implementation: new Scoreboard(url, { WebSocket })");
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

function toWire({ idempotencyKey, ...update }) {
  for (const name of ["increment", "score"]) if (update[name] != null) update[name] = exact(update[name]);
  return { ...update, idempotency_key: idempotencyKey };
}

/** Return 128 random bits as text. randomUUID() is missing on pages without https. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
