/**
 * The live connection of one board: dials, subscribes, resumes, keeps watch,
 * comes back. No DOM; the socket, the clock and chance are handed in, so it
 * runs under Node's test runner.
 *
 *   idle -> connecting -> live <-> silent
 *               ^  |        |        |
 *               |  +--------+--------+--> waiting (then connecting again)
 *               |  +--> refused (asks again, slowly, on the same socket)
 *               +-- retry() -- stopped (close code 1009 or 4500-4999)
 *
 * Only `live` means that what is shown is what the server has.
 *
 * @typedef {{name: "idle"} | {name: "connecting"} | {name: "live"} | {name: "silent"}
 *   | {name: "waiting", until: number, attempt: number, reason: string}
 *   | {name: "refused", code: string, detail: string}
 *   | {name: "stopped", code: number, reason: string}} State
 */

import { backoff, parse } from "./request.js";

/** Milliseconds between our pings. */
export const PING_EVERY = 15_000;
/** Milliseconds within which an open, a subscription or a ping must be answered. */
export const ANSWER_WITHIN = 10_000;
/** A connection live this long was a good one: the waits start small again. */
export const STEADY_AFTER = 10_000;
/** After a refusal: ask again after this, plus up to as much again. */
export const REFUSED_WAIT = 30_000;

/** May we come back after this close code? */
export function mayReturn(code) {
  return code !== 1009 && !(code >= 4500 && code <= 4999);
}

const STOP_REASONS = {
  1009: "our message was too big", // RFC 6455, 7.4.1
  4500: "the server could not read our message",
  4501: "not allowed to read this board",
  4502: "too many subscriptions",
};

export class Connection {
  /** @type {State} */
  state = { name: "idle" };

  #options;
  #socket = null;
  #alarms = new Map();
  #attempt = 0;
  #heardAt = 0;
  #liveSince = null;
  #resume = true;
  /** @type {{epoch: string, offset: number} | null} */
  #position;

  /**
   * @param {object} options
   * @param {string} options.url ws: or wss: address of /v1/live
   * @param {string | (() => string | Promise<string>)} [options.token] for boards that are not public; asked for at each dial
   * @param {{app: string, board: string, region?: string, season?: string}} options.subscription
   * @param {{epoch: string, offset: number} | null} [options.position] where to resume from
   * @param {(message: object) => void} options.onTop told of what is newer than the position
   * @param {(state: State) => void} options.onState
   * @param {typeof WebSocket} options.WebSocket
   * @param {{setTimeout: Function, clearTimeout: Function, now: () => number}} options.clock
   * @param {() => number} options.random
   */
  constructor(options) {
    this.#options = options;
    this.#position = options.position ?? null;
  }

  /** What the newest top has, for a later resume. */
  get position() {
    return this.#position;
  }

  /** Start. Does nothing when already started. */
  open() {
    if (this.state.name === "idle") this.#dial();
  }

  /** Finish, for good or until `open()`. */
  close() {
    this.#hangUp();
    this.#attempt = 0;
    this.#enter({ name: "idle" });
  }

  /** The viewer asks: from any state of rest, try now. */
  retry() {
    if (this.state.name === "refused") this.#subscribe();
    else if (["waiting", "stopped"].includes(this.state.name)) this.#dial();
  }

  /**
   * Something suggests that the network changed (online, offline, tab visible):
   * stop waiting, or make an open connection prove itself. Never overrules `stopped`.
   */
  wake() {
    if (this.state.name === "waiting") this.#dial();
    else if (["live", "silent", "refused"].includes(this.state.name)) this.#ping();
  }

  #enter(state) {
    this.state = state;
    this.#options.onState(state);
  }

  /** (Re)arm a named alarm. */
  #alarm(name, ms, run) {
    this.#disarm(name);
    const id = this.#options.clock.setTimeout(() => {
      this.#alarms.delete(name);
      run();
    }, ms);
    this.#alarms.set(name, id);
  }

  #disarm(name) {
    this.#options.clock.clearTimeout(this.#alarms.get(name));
    this.#alarms.delete(name);
  }

  #dial() {
    this.#hangUp();
    this.#enter({ name: "connecting" });
    let socket;
    try {
      socket = new this.#options.WebSocket(this.#options.url);
    } catch (error) {
      this.#lost(error.message);
      return;
    }
    this.#socket = socket;
    const ours = (handle) => (event) => this.#socket === socket && handle(event);
    socket.onopen = ours(() => {
      this.#heard();
      this.#alarm("ping", PING_EVERY, () => this.#ping());
      this.#introduce(socket);
    });
    socket.onmessage = ours((event) => this.#receive(event.data));
    socket.onclose = ours((event) => this.#closed(event.code, event.reason));
    this.#settleSoon();
  }

  /** Say who asks, where that matters, then what for. */
  async #introduce(socket) {
    const { token } = this.#options;
    if (token) {
      try {
        const given = typeof token === "function" ? await token() : token;
        if (this.#socket !== socket) return;
        this.#send({ type: "authenticate", token: given });
      } catch (error) {
        if (this.#socket === socket) this.#lost(error.message);
        return;
      }
    }
    this.#subscribe();
  }

  /** An attempt that leads nowhere ends; the next one asks for the whole board. */
  #settleSoon() {
    this.#alarm("settle", ANSWER_WITHIN, () => {
      this.#resume = false;
      this.#lost("no answer");
    });
  }

  /** Leave the socket, whatever it does from here on, and all alarms. */
  #hangUp() {
    for (const name of [...this.#alarms.keys()]) this.#disarm(name);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #send(message) {
    // A socket that is closing takes no more; its close event follows.
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  #subscribe() {
    const position = this.#resume ? this.#position : null;
    this.#send({ type: "subscribe", ...this.#options.subscription, ...(position && { position }) });
    this.#disarm("again");
    this.#settleSoon();
  }

  #ping() {
    // Timers sleep with the machine: after a gap nothing is proven until the answer.
    const gap = this.#options.clock.now() - this.#heardAt;
    if (this.state.name === "live" && gap > PING_EVERY + ANSWER_WITHIN) this.#enter({ name: "silent" });
    this.#send({ type: "ping" });
    if (!this.#alarms.has("answer")) this.#alarm("answer", ANSWER_WITHIN, () => this.#lost("no answer"));
    this.#alarm("ping", PING_EVERY, () => this.#ping());
  }

  #heard() {
    this.#heardAt = this.#options.clock.now();
    this.#disarm("answer");
    if (this.state.name === "silent") this.#enter({ name: "live" });
  }

  #receive(data) {
    this.#heard();
    let message;
    try {
      message = parse(data);
    } catch {
      return; // not for us; it still proves that the server is there
    }
    if (message.type === "subscribed" && message.recovered && this.#isOurs(message)) this.#settled();
    else if (message.type === "top" && this.#isFor(message)) {
      this.#take(message);
      this.#settled();
    } else if (message.type === "error") this.#refused(message);
  }

  #isFor({ app, board }) {
    const { subscription } = this.#options;
    return app === subscription.app && board === subscription.board;
  }

  /** "Recovered" to where we stand? Otherwise a whole top follows. */
  #isOurs({ epoch, offset }) {
    return this.#position?.epoch === epoch && this.#position.offset === offset;
  }

  /** Within an epoch a board never goes backwards; another epoch replaces all. */
  #take(message) {
    if (this.#position?.epoch === message.epoch && message.offset <= this.#position.offset) return;
    this.#position = { epoch: message.epoch, offset: message.offset };
    this.#options.onTop(message);
  }

  #settled() {
    this.#disarm("settle");
    this.#disarm("again");
    this.#resume = true;
    if (this.state.name === "live") return;
    this.#liveSince = this.#options.clock.now();
    this.#enter({ name: "live" });
  }

  /** The server answers, but not with this board. Stay, and ask again now and then: it may be made yet. */
  #refused({ code, detail }) {
    this.#disarm("settle");
    this.#liveSince = null;
    const wait = REFUSED_WAIT * (1 + this.#options.random());
    this.#alarm("again", wait, () => this.#subscribe());
    this.#enter({ name: "refused", code: String(code ?? "error"), detail: String(detail ?? "") });
  }

  #closed(code, reason) {
    if (mayReturn(code)) {
      this.#lost(reason || `closed, code ${code}`);
      return;
    }
    this.#hangUp();
    this.#liveSince = null;
    this.#enter({ name: "stopped", code, reason: reason || STOP_REASONS[code] || "closed by the server" });
  }

  #lost(reason) {
    this.#hangUp();
    const now = this.#options.clock.now();
    if (this.#liveSince !== null && now - this.#liveSince >= STEADY_AFTER) this.#attempt = 0;
    this.#liveSince = null;
    const wait = backoff(this.#attempt, this.#options.random);
    this.#attempt += 1;
    this.#alarm("dial", wait, () => this.#dial());
    this.#enter({ name: "waiting", until: now + wait, attempt: this.#attempt, reason });
  }
}
