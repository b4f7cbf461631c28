/**
 * The choice of a board and its live connection, without DOM. The states are those of client/connection.js, and before
 * a board is known: `setup` (there is no board), `barred` (this origin is not allowed) and `waiting`.
 */

import { backoff } from "./client/request.js";
import { Scoreboard } from "./client/scoreboard.js";

/** Milliseconds until the next try while there is no board, or while this origin is not allowed. */
const SETUP_WAIT = 5_000;
const BARRED_WAIT = 30_000;

export class BoardFollower {
  #wanted;
  #on;
  #client;
  #live = null;
  #stopped = new AbortController();
  #endWait = () => {};

  /**
   * @param {{base: string, app?: string, board?: string, season?: string, region?: string, choices: number}} wanted
   * @param {{boards: Function, top: Function, state: Function}} on called with the public boards, each newer top, and
   *   each state
   */
  constructor(wanted, on) {
    this.#wanted = wanted;
    this.#on = on;
    this.#client = new Scoreboard(wanted.base, { retryFor: 0 });
  }

  async start() {
    this.#on.state({ name: "connecting" });
    const listing = await this.#listBoards();
    if (listing === null) return;
    const { app, board } = listing.shown ?? this.#wanted;
    const { season, region } = this.#wanted;
    const followed = this.#client.board(app, board);
    this.#on.boards(listing, followed);
    this.#live = followed.live({ season, region, onTop: (top) => this.#on.top(top), onState: (state) => this.#on.state(state) });
  }

  stop() {
    this.#stopped.abort();
    this.#on = { boards() {}, top() {}, state() {} };
    this.#live?.close();
    this.#endWait();
  }

  /** Try now, as the viewer asks. */
  retry() {
    this.#endWait();
    this.#live?.retry();
  }

  /** Check the connection, as the network may have changed. */
  wake() {
    this.#endWait();
    this.#live?.wake();
  }

  /** Return the public boards with the one to follow, or null once stopped. */
  async #listBoards() {
    const { app, board, choices } = this.#wanted;
    const { signal } = this.#stopped;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const listing = await this.#client.publicBoards({ app, board, limit: choices, signal });
        if (listing.shown || (app && board)) return listing;
        this.#on.state({ name: "setup" });
        await this.#wait(SETUP_WAIT);
      } catch (error) {
        if (!signal.aborted) await this.#waitAfter(error, attempt);
      }
      if (signal.aborted) return null;
    }
  }

  async #waitAfter(error, attempt) {
    if (error.code === "unreachable" && (await this.#isBarred())) {
      this.#on.state({ name: "barred" });
      await this.#wait(BARRED_WAIT);
      return;
    }
    const wait = 1_000 + backoff(attempt);
    this.#on.state({ name: "waiting", until: Date.now() + wait, reason: error.detail ?? error.message });
    await this.#wait(wait);
  }

  /** Return whether the server answers but does not allow this origin. A browser reports both failures alike. */
  async #isBarred() {
    const { base } = this.#wanted;
    if (new URL(base).origin === location.origin) return false;
    try {
      await fetch(new URL("health/live", base), { mode: "no-cors", signal: this.#stopped.signal });
      return true;
    } catch {
      return false;
    }
  }

  #wait(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
