/**
 * From what an element asks for to the live tops of one board. No DOM.
 * The states are those of client/connection.js, and before there is a board: `setup` (there is none), `barred` (the
 * server answers, but not to pages of this origin) and `waiting`.
 */

import { backoff } from "./client/request.js";
import { Scoreboard } from "./client/scoreboard.js";

/** Milliseconds between two looks for a board that is not there, or not for us. */
const LOOK_EVERY = 5_000;
const BARRED_WAIT = 30_000;

export class Following {
  #wanted;
  #on;
  #client;
  #live = null;
  #ended = new AbortController();
  #hurry = () => {};

  /**
   * @param {{base: string, app?: string, board?: string, season?: string, region?: string, choices: number}} wanted
   * @param {{boards: Function, top: Function, state: Function}} on told of the public boards, of each newer top, of each state
   */
  constructor(wanted, on) {
    this.#wanted = wanted;
    this.#on = on;
    this.#client = new Scoreboard(wanted.base, { retryFor: 0 });
  }

  async start() {
    this.#on.state({ name: "connecting" });
    const listing = await this.#listing();
    if (listing === null) return;
    const { app, board } = listing.shown ?? this.#wanted;
    const { season, region } = this.#wanted;
    const followed = this.#client.board(app, board);
    this.#on.boards(listing, followed);
    this.#live = followed.live({ season, region, onTop: (top) => this.#on.top(top), onState: (state) => this.#on.state(state) });
  }

  stop() {
    this.#ended.abort();
    this.#on = { boards() {}, top() {}, state() {} };
    this.#live?.close();
    this.#hurry();
  }

  /** The viewer asks: try now. */
  retry() {
    this.#hurry();
    this.#live?.retry();
  }

  /** The network may have changed. */
  wake() {
    this.#hurry();
    this.#live?.wake();
  }

  /** The public boards with the one to follow; null once stopped. */
  async #listing() {
    const { app, board, choices } = this.#wanted;
    const { signal } = this.#ended;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const listing = await this.#client.publicBoards({ app, board, limit: choices, signal });
        if (listing.shown || (app && board)) return listing;
        this.#on.state({ name: "setup" });
        await this.#wait(LOOK_EVERY);
      } catch (error) {
        if (!signal.aborted) await this.#unreached(error, attempt);
      }
      if (signal.aborted) return null;
    }
  }

  async #unreached(error, attempt) {
    if (error.code === "unreachable" && (await this.#isBarred())) {
      this.#on.state({ name: "barred" });
      await this.#wait(BARRED_WAIT);
      return;
    }
    const wait = 1_000 + backoff(attempt);
    this.#on.state({ name: "waiting", until: Date.now() + wait, reason: error.detail ?? error.message });
    await this.#wait(wait);
  }

  /** A browser does not say why another origin was not reached. One that answers what nobody may read is there. */
  async #isBarred() {
    const { base } = this.#wanted;
    if (new URL(base).origin === location.origin) return false;
    try {
      await fetch(new URL("health/live", base), { mode: "no-cors", signal: this.#ended.signal });
      return true;
    } catch {
      return false;
    }
  }

  #wait(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
