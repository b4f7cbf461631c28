/**
 * <live-scoreboard app="demo" board="main" region="eu" season="2026-W12"></live-scoreboard>
 *
 * The live top of one board. What is not said of `app` and `board` is taken from
 * the service's default board (GET /v1/page). The service is the one this module came from;
 * `server` names another. Its look: the custom properties in board.css, which
 * a page may override on the element.
 *
 * Fires `scoreboard-title` (detail: the board's title) when it knows its board.
 */

import { ANSWER_WITHIN, Connection, backoff } from "./connection.js";
import { applyTop, positionOf, summarise, titleOf } from "./model.js";
import { Rows, formatScore } from "./rows.js";

const ATTRIBUTES = ["app", "board", "region", "season", "server"];
/** A screen reader hears from us at most this often (milliseconds). */
const SPEAK_EVERY = 15_000;
const PLACEHOLDER_ROWS = 10;

const clockTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

const template = document.createElement("template");
template.innerHTML = `
  <section class="board" aria-labelledby="title">
    <header class="head">
      <p class="app" data-id="app"></p>
      <h1 class="title" id="title" data-id="title"></h1>
      <dl class="facts" data-id="facts"></dl>
      <div class="connection" data-id="connection" data-state="idle">
        <span class="light" aria-hidden="true"></span>
        <span class="state" data-id="state">Connecting</span>
        <button type="button" class="retry" data-id="retry" hidden>Try now</button>
        <p class="why" data-id="why"></p>
      </div>
    </header>
    <div class="sheet" data-id="sheet">
      <p class="strip"><span data-id="extent">Loading</span><span class="freshness" data-id="freshness"></span></p>
      <ol class="rows" role="list" aria-labelledby="title" data-id="rows"></ol>
      <ul class="placeholders" aria-hidden="true" data-id="placeholders"></ul>
      <div class="message" data-id="message" hidden></div>
    </div>
    <p class="legend" data-id="legend"></p>
    <p class="unseen" role="status" data-id="speaker"></p>
  </section>`;

/** An element with text or children; text is never read as markup. */
function make(tag, ...children) {
  const node = document.createElement(tag);
  node.append(...children);
  return node;
}

export class LiveScoreboard extends HTMLElement {
  static observedAttributes = ATTRIBUTES;

  #board = null;
  #shown = null;
  #spoken = null;
  #spokeAt = 0;
  #connection = null;
  #parts = {};
  #rows;
  #run = null;
  #frame = 0;
  #countdown = 0;
  #speech = 0;
  #hurry = () => {};

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("board.css", import.meta.url).href;
    const content = template.content.cloneNode(true);
    const section = content.querySelector("section");
    section.hidden = true; // no flash of bare content
    style.onload = style.onerror = () => (section.hidden = false);
    root.append(style, content);
    for (const node of root.querySelectorAll("[data-id]")) this.#parts[node.dataset.id] = node;
    this.#parts.placeholders.append(...Array.from({ length: PLACEHOLDER_ROWS }, () => make("li")));
    this.#parts.retry.addEventListener("click", () => this.#connection?.retry());
  }

  connectedCallback() {
    this.#start();
  }

  disconnectedCallback() {
    this.#stop();
  }

  attributeChangedCallback() {
    if (this.#run) this.#start();
  }

  /** The service's address, with a closing slash. */
  get #base() {
    return new URL(this.getAttribute("server") ?? new URL("..", import.meta.url), document.baseURI).href.replace(/\/?$/, "/");
  }

  #start() {
    this.#stop();
    const run = (this.#run = new AbortController());
    const listen = (target, name) => target.addEventListener(name, () => this.#wake(), { signal: run.signal });
    listen(window, "online");
    listen(window, "offline");
    listen(window, "pageshow");
    listen(document, "visibilitychange");
    this.#rows = new Rows(this.#parts.rows, this.#base);
    this.#rows.clear();
    this.#parts.extent.textContent = "Loading";
    this.#parts.legend.textContent = "";
    this.#parts.rows.hidden = true;
    this.#parts.placeholders.hidden = false;
    this.#parts.message.hidden = true;
    // Attributes are often set one after another: start once, with all of them.
    queueMicrotask(() => !run.signal.aborted && this.#choose(run.signal));
  }

  #stop() {
    this.#run?.abort();
    this.#run = null;
    this.#connection?.close();
    this.#connection = null;
    this.#board = this.#shown = this.#spoken = null;
    cancelAnimationFrame(this.#frame);
    clearInterval(this.#countdown);
    clearTimeout(this.#speech);
    this.#frame = this.#speech = 0;
  }

  #wake() {
    if (document.visibilityState !== "visible") return;
    this.#hurry();
    this.#connection?.wake();
  }

  /** The board from the attributes, else the service's default one. */
  async #choose(signal) {
    let [app, board] = [this.getAttribute("app"), this.getAttribute("board")];
    for (let attempt = 0; !(app && board); attempt += 1) {
      try {
        const within = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN)]);
        const response = await fetch(new URL("v1/page", this.#base), { signal: within });
        if (!response.ok && response.status !== 404) throw new Error(`status ${response.status}`);
        const usual = response.ok ? await response.json() : {};
        if (signal.aborted) return;
        app ||= usual.app;
        board ||= usual.board;
        if (app && board) break;
        this.#status({ name: "setup" });
        this.#tellSetup();
      } catch (error) {
        if (signal.aborted) return;
        this.#status({ name: "unreached", reason: error.message });
      }
      await new Promise((resolve) => {
        this.#hurry = resolve;
        setTimeout(resolve, 1_000 + backoff(attempt));
      });
      if (signal.aborted) return;
    }
    this.#follow(app, board);
  }

  #follow(app, board) {
    const subscription = { app, board };
    for (const name of ["region", "season"]) {
      if (this.getAttribute(name)) subscription[name] = this.getAttribute(name);
    }
    this.#parts.message.hidden = true;
    this.#parts.placeholders.hidden = false;
    this.#heading(subscription);
    const url = new URL("v1/live", this.#base);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.#connection = new Connection({
      url: url.href,
      subscription,
      position: () => positionOf(this.#board),
      onTop: (message) => {
        this.#board = applyTop(this.#board, message, Date.now());
        this.#frame ||= requestAnimationFrame(() => this.#draw());
      },
      onState: (state) => this.#status(state),
    });
    this.#connection.open();
  }

  #heading({ app, board, region, season, total }) {
    const parts = this.#parts;
    const title = titleOf(board);
    parts.app.textContent = app;
    if (parts.title.textContent !== title) {
      this.#title(title);
      this.dispatchEvent(new CustomEvent("scoreboard-title", { detail: title }));
    }
    const facts = {
      Region: region ?? "World",
      Season: season === "all" ? "All time" : season ?? "Current",
      Players: total == null ? "–" : formatScore(total),
    };
    parts.facts.replaceChildren(
      ...Object.entries(facts).map(([term, value]) => make("div", make("dt", term), make("dd", value))),
    );
  }

  /** Long words get smaller letters rather than a break. */
  #title(text) {
    this.#parts.title.textContent = text;
    const longest = Math.max(...text.split(" ").map((word) => word.length));
    this.shadowRoot.querySelector("section").style.setProperty("--longest", String(longest));
  }

  /** At most once a frame, however fast the messages come. */
  #draw() {
    this.#frame = 0;
    const [before, board, parts] = [this.#shown, this.#board, this.#parts];
    if (board === before) return;
    this.#shown = board;
    const empty = board.entries.length === 0;
    parts.placeholders.hidden = true;
    parts.rows.hidden = empty;
    parts.message.hidden = !empty;
    if (!before || before.epoch !== board.epoch) {
      this.#rows.clear();
      parts.legend.textContent = `▲▼ Places gained or lost since you arrived, at ${clockTime.format(board.receivedAt)}. A row is filled in proportion to the leader’s score.`;
    }
    parts.legend.hidden = empty;
    if (empty) this.#tellEmpty(board);
    this.#rows.render(before?.epoch === board.epoch ? before : null, board);
    this.#heading(board);
    parts.extent.textContent = empty ? "No scores" : `Top ${formatScore(board.entries.length)}`;
    this.#freshness();
    this.#speak();
  }

  /** @param {import("./connection.js").State | {name: "setup"} | {name: "unreached", reason: string}} state */
  #status(state) {
    const parts = this.#parts;
    const live = state.name === "live";
    parts.connection.dataset.state = state.name;
    parts.sheet.classList.toggle("stale", !live);
    clearInterval(this.#countdown);
    const show = (text) => (parts.state.textContent = text);
    parts.why.textContent = "";
    parts.retry.hidden = !["waiting", "refused", "stopped"].includes(state.name);
    switch (state.name) {
      case "live": show("Live"); break;
      case "silent": show("No answer, checking"); break;
      case "unreached": show("Server not reached, retrying"); parts.why.textContent = state.reason; break;
      case "setup": show("No board to follow"); break;
      case "refused":
        show("Not available");
        if (this.#board) parts.why.textContent = `${state.detail} (${state.code})`;
        else this.#tellRefused(state);
        break;
      case "stopped":
        show("Ended by the server");
        if (this.#board) parts.why.textContent = `It said: ${state.reason} (${state.code}).`;
        else this.#tellStopped(state);
        break;
      case "waiting": {
        if (!this.#board) parts.extent.textContent = "The server does not answer yet";
        const tick = () => {
          const seconds = Math.max(1, Math.ceil((state.until - Date.now()) / 1000));
          show(`${navigator.onLine === false ? "Offline, retrying" : "Reconnecting"} in ${seconds} s`);
        };
        tick();
        this.#countdown = setInterval(tick, 1000);
        break;
      }
      default: show(this.#board ? "Reconnecting" : "Connecting");
    }
    this.#freshness();
    if (this.#shown) this.#speak();
  }

  #freshness() {
    const { freshness } = this.#parts;
    if (!this.#board) {
      freshness.textContent = "";
      return;
    }
    const time = make("time", clockTime.format(this.#board.receivedAt));
    time.dateTime = new Date(this.#board.receivedAt).toISOString();
    const live = this.#connection?.state.name === "live";
    freshness.replaceChildren(live ? "Updated " : "Not live – last update ", time);
  }

  /** Calmly: at most every SPEAK_EVERY, and then what holds at that moment. */
  #speak() {
    if (this.#speech) return;
    const wait = Math.max(1_000, this.#spokeAt + SPEAK_EVERY - Date.now());
    this.#speech = setTimeout(() => {
      this.#speech = 0;
      const live = this.#connection?.state.name === "live";
      const summary = live ? summarise(this.#spoken?.board ?? null, this.#shown, formatScore) : "";
      const words = [];
      if (this.#spoken && this.#spoken.live !== live) words.push(live ? "Live again." : "Not live: connection lost.");
      if (summary) words.push(summary);
      if (words.length) {
        this.#parts.speaker.textContent = words.join(" ");
        this.#spokeAt = Date.now();
      }
      if (words.length || !this.#spoken) this.#spoken = { live, board: live ? this.#shown : this.#spoken?.board ?? null };
    }, wait);
  }

  #tell(...content) {
    this.#parts.extent.textContent = "";
    this.#parts.placeholders.hidden = true;
    this.#parts.message.hidden = false;
    this.#parts.message.replaceChildren(...content);
  }

  #tellEmpty({ app, board }) {
    const address = new URL(`v1/apps/${encodeURIComponent(app)}/boards/${encodeURIComponent(board)}/scores`, this.#base);
    this.#tell(
      make("h2", "No scores yet"),
      make("p", "The first one appears here as soon as it is sent:"),
      make("pre", `curl -X POST ${address} \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -H "Content-Type: application/json" \\\n  -d '{"player": "alice", "increment": 10}'`),
    );
  }

  #tellRefused({ code, detail }) {
    this.#tell(
      make("h2", "This board cannot be shown"),
      make("p", detail || "The server refused the subscription."),
      make("p", make("code", code)),
      make("p", "The page asks again about every 45 seconds, so a board made now shows up by itself."),
    );
  }

  #tellStopped({ code, reason }) {
    this.#tell(
      make("h2", "The server ended this connection"),
      make("p", `It said: ${reason}. The page does not come back by itself after this.`),
      make("p", make("code", String(code))),
    );
  }

  #tellSetup() {
    this.#title("Scoreboard");
    this.#tell(
      make("h2", "There is no board yet"),
      make("p", "Make an app, a board in it, and a token to send scores with:"),
      make("pre", "scoreboard apps create shop\nscoreboard boards create main --app shop\nscoreboard token server --app shop"),
      make("p", "Or see one move at once, with made-up players:"),
      make("pre", "scoreboard serve --demo"),
      make("p", "This page picks the board up by itself. To choose one: ", make("code", "/?app=demo&board=main")),
    );
  }
}

customElements.define("live-scoreboard", LiveScoreboard);
