/**
 * The live connection of one board: it connects, subscribes, resumes, sends pings and reconnects. It uses no DOM. The
 * socket, the clock and the random source are injected, so that Node's test runner can run it.
 *
 *   idle -> connecting -> live <-> silent
 *               ^  |        |        |
 *               |  +--------+--------+--> waiting (then connecting again)
 *               |  +--> refused (subscribes again, slowly, on the same socket)
 *               +-- retry() -- stopped (close code 1009 or 4500-4999)
 *
 * Only in the state `live` is the board shown the current one.
 *
 * @typedef {{name: "idle"} | {name: "connecting"} | {name: "live"} | {name: "silent"}
 *   | {name: "waiting", until: number, attempt: number, reason: string}
 *   | {name: "refused", code: string, detail: string}
 *   | {name: "stopped", code: number, reason: string}} State
 */

import { backoff, parse } from "./request.js";

/** Milliseconds between our pings. */
export const PING_EVERY = 15_000;
/** Milliseconds that the server may take to answer a handshake, a subscription or a ping. */
export const RESPONSE_TIMEOUT = 10_000;
/** Milliseconds after which a live connection counts as stable, which resets the backoff. */
export const STABLE_AFTER = 10_000;
/** Milliseconds until the next subscription after a refusal, plus up to the same again. */
export const REFUSED_WAIT = 30_000;

/** Return whether the client may reconnect after a close code. */
export function mayReconnect(code) {
  return code !== 1009 && !(code >= 4500 && code <= 4999);
}

const STOP_REASONS = {
  1009: "the client's message was too big", // RFC 6455, 7.4.1
  4500: "the server could not read the client's message",
  4501: "not allowed to read this board",
  4502: "too many subscriptions",
};

export class Connection {
  /** @type {State} */
  state = { name: "idle" };

  #options;
  #socket = null;
  #timers = new Map();
  #attempt = 0;
  #receivedAt = 0;
  #liveSince = null;
  #resume = true;
  /** @type {{epoch: string, offset: number} | null} */
  #position;

  /**
   * @param {object} options
   * @param {string} options.url the address of /v1/live, with the scheme ws or wss
   * @param {string | (() => string | Promise<string>)} [options.token] for private boards; a function is called at each connection
   * @param {{app: string, board: string, region?: string, season?: string}} options.subscription
   * @param {{epoch: string, offset: number} | null} [options.position] the position to resume from
   * @param {(message: object) => void} options.onTop called with each top that is newer than the position
   * @param {(state: State) => void} options.onState
   * @param {typeof WebSocket} options.WebSocket
   * @param {{setTimeout: Function, clearTimeout: Function, now: () => number}} options.clock
   * @param {() => number} options.random
   */
  constructor(options) {
    this.#options = options;
    this.#position = options.position ?? null;
  }

  /** The position of the newest top, for a later resume. */
  get position() {
    return this.#position;
  }

  /** Connect, unless already started. */
  open() {
    if (this.state.name === "idle") this.#connect();
  }

  /** Disconnect; `open()` connects again. */
  close() {
    this.#disconnect();
    this.#attempt = 0;
    this.#enter({ name: "idle" });
  }

  /** Try now, as the viewer asks: connect or subscribe without waiting. */
  retry() {
    if (this.state.name === "refused") this.#subscribe();
    else if (["waiting", "stopped"].includes(this.state.name)) this.#connect();
  }

  /**
   * Handle a hint that the network changed (online, offline, tab visible): stop waiting, or ping an open connection.
   * It has no effect in the state `stopped`.
   */
  wake() {
    if (this.state.name === "waiting") this.#connect();
    else if (["live", "silent", "refused"].includes(this.state.name)) this.#ping();
  }

  #enter(state) {
    this.state = state;
    this.#options.onState(state);
  }

  /** Start or restart a named timer. */
  #startTimer(name, ms, run) {
    this.#stopTimer(name);
    const id = this.#options.clock.setTimeout(() => {
      this.#timers.delete(name);
      run();
    }, ms);
    this.#timers.set(name, id);
  }

  #stopTimer(name) {
    this.#options.clock.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #connect() {
    this.#disconnect();
    this.#enter({ name: "connecting" });
    let socket;
    try {
      socket = new this.#options.WebSocket(this.#options.url);
    } catch (error) {
      this.#reconnectLater(error.message);
      return;
    }
    this.#socket = socket;
    const ifCurrent = (handle) => (event) => this.#socket === socket && handle(event);
    socket.onopen = ifCurrent(() => {
      this.#noteReceived();
      this.#startTimer("ping", PING_EVERY, () => this.#ping());
      this.#authenticate(socket);
    });
    socket.onmessage = ifCurrent((event) => this.#receive(event.data));
    socket.onclose = ifCurrent((event) => this.#closed(event.code, event.reason));
    this.#startSubscribeTimeout();
  }

  /** Authenticate if there is a token, then subscribe. */
  async #authenticate(socket) {
    const { token } = this.#options;
    if (token) {
      try {
        const given = typeof token === "function" ? await token() : token;
        if (this.#socket !== socket) return;
        this.#send({ type: "authenticate", token: given });
      } catch (error) {
        if (this.#socket === socket) this.#reconnectLater(error.message);
        return;
      }
    }
    this.#subscribe();
  }

  /** Give up an attempt without an answer; the next one requests the whole board. */
  #startSubscribeTimeout() {
    this.#startTimer("subscribe", RESPONSE_TIMEOUT, () => {
      this.#resume = false;
      this.#reconnectLater("no response");
    });
  }

  /** Close the socket, ignore its later events, and stop all timers. */
  #disconnect() {
    for (const name of [...this.#timers.keys()]) this.#stopTimer(name);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #send(message) {
    // A closing socket accepts no messages; its close event follows.
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  #subscribe() {
    const position = this.#resume ? this.#position : null;
    this.#send({ type: "subscribe", ...this.#options.subscription, ...(position && { position }) });
    this.#stopTimer("resubscribe");
    this.#startSubscribeTimeout();
  }

  #ping() {
    // Timers stop while the machine sleeps. After a gap the connection is not live until the server answers.
    const gap = this.#options.clock.now() - this.#receivedAt;
    if (this.state.name === "live" && gap > PING_EVERY + RESPONSE_TIMEOUT) this.#enter({ name: "silent" });
    this.#send({ type: "ping" });
    if (!this.#timers.has("answer")) this.#startTimer("answer", RESPONSE_TIMEOUT, () => this.#reconnectLater("no response"));
    this.#startTimer("ping", PING_EVERY, () => this.#ping());
  }

  #noteReceived() {
    this.#receivedAt = this.#options.clock.now();
    this.#stopTimer("answer");
    if (this.state.name === "silent") this.#enter({ name: "live" });
  }

  #receive(data) {
    this.#noteReceived();
    let message;
    try {
      message = parse(data);
    } catch {
      return; // unknown, but it shows that the server is there
    }
    if (message.type === "subscribed" && message.recovered && this.#isAtPosition(message)) this.#subscribed();
    else if (message.type === "top" && this.#isFor(message)) {
      this.#applyTop(message);
      this.#subscribed();
    } else if (message.type === "error") this.#refused(message);
  }

  #isFor({ app, board }) {
    const { subscription } = this.#options;
    return app === subscription.app && board === subscription.board;
  }

  /** Return whether the server resumed at this position; otherwise a whole top follows. */
  #isAtPosition({ epoch, offset }) {
    return this.#position?.epoch === epoch && this.#position.offset === offset;
  }

  /** Apply a top, unless it is older in the same epoch. A new epoch replaces everything. */
  #applyTop(message) {
    if (this.#position?.epoch === message.epoch && message.offset <= this.#position.offset) return;
    this.#position = { epoch: message.epoch, offset: message.offset };
    this.#options.onTop(message);
  }

  #subscribed() {
    this.#stopTimer("subscribe");
    this.#stopTimer("resubscribe");
    this.#resume = true;
    if (this.state.name === "live") return;
    this.#liveSince = this.#options.clock.now();
    this.#enter({ name: "live" });
  }

  /** Keep the connection after a refusal, and subscribe again later: the board may be created. */
  #refused({ code, detail }) {
    this.#stopTimer("subscribe");
    this.#liveSince = null;
    const wait = REFUSED_WAIT * (1 + this.#options.random());
    this.#startTimer("resubscribe", wait, () => this.#subscribe());
    this.#enter({ name: "refused", code: String(code ?? "error"), detail: String(detail ?? "") });
  }

  #closed(code, reason) {
    if (mayReconnect(code)) {
      this.#reconnectLater(reason || `closed, code ${code}`);
      return;
    }
    this.#disconnect();
    this.#liveSince = null;
    this.#enter({ name: "stopped", code, reason: reason || STOP_REASONS[code] || "closed by the server" });
  }

  #reconnectLater(reason) {
    this.#disconnect();
    const now = this.#options.clock.now();
    if (this.#liveSince !== null && now - this.#liveSince >= STABLE_AFTER) this.#attempt = 0;
    this.#liveSince = null;
    const wait = backoff(this.#attempt, this.#options.random);
    this.#attempt += 1;
    this.#startTimer("connect", wait, () => this.#connect());
    this.#enter({ name: "waiting", until: now + wait, attempt: this.#attempt, reason });
  }
}
