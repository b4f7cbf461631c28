/** The view of a board: its head, its rows, and the messages in their place. It makes no decisions. */

import { Rows } from "./rows.js";
import { createElement, describeState, formatScore, formatTime, setText } from "./texts.js";

const styles = new CSSStyleSheet();
styles.replaceSync(await (await fetch(new URL("board.css", import.meta.url))).text());

const template = document.createElement("template");
template.innerHTML = `
  <section class="board" aria-labelledby="title" data-id="frame">
    <header class="head">
      <p class="app" data-id="app"></p>
      <div class="title" id="title" role="heading" aria-level="2" data-id="title"></div>
      <div class="connection" data-id="connection" data-state="idle">
        <span class="light" aria-hidden="true"></span>
        <span class="state" data-id="state"></span>
        <button type="button" class="button" data-id="retry" hidden>Try now</button>
      </div>
      <p class="reason" data-id="reason"></p>
      <dl class="facts" data-id="facts"></dl>
    </header>
    <div class="choose" data-id="choose">
      <label hidden><span>Board</span><select data-id="chooseBoard"></select></label>
      <label hidden><span>Season</span><select data-id="chooseSeason"></select></label>
      <label hidden><span>Region</span><select data-id="chooseRegion"></select></label>
    </div>
    <div class="find" data-id="find">
      <form class="ask" data-id="ask">
        <label for="who">Find a player</label>
        <input id="who" name="player" maxlength="50" placeholder="Find by player id" autocomplete="off" autocapitalize="none" spellcheck="false" data-id="who">
        <button class="button">Find</button>
      </form>
      <p class="missing" data-id="missing" hidden></p>
      <section class="place" aria-labelledby="place-name" data-id="place" hidden>
        <p class="where"><span class="rank" data-id="placeRank"></span> <span data-id="placeOf"></span></p>
        <p class="name" id="place-name"><bdi data-id="placeName"></bdi></p>
        <button type="button" class="button forget" aria-label="Stop following" data-id="forget">×</button>
        <dl>
          <div><dt>Score</dt><dd data-id="placeScore"></dd></div>
          <div><dt>Ahead of</dt><dd data-id="placeAhead"></dd></div>
          <div><dt>To next score</dt><dd data-id="placeGap"></dd></div>
        </dl>
        <ol class="neighbours" role="list" aria-label="Neighbours" data-id="neighbours"></ol>
        <p class="note" data-id="placeNote"></p>
      </section>
    </div>
    <div class="sheet" data-id="sheet">
      <p class="strip"><span data-id="extent"></span><span class="freshness" data-id="freshness"></span></p>
      <div class="places" data-id="places">
        <ul class="placeholders" aria-hidden="true" data-id="placeholders"></ul>
        <ol class="rows" role="list" aria-labelledby="title" data-id="rows"></ol>
      </div>
      <div class="message" data-id="message" hidden></div>
    </div>
    <p class="legend" data-id="legend"></p>
    <p class="visually-hidden" role="status" data-id="announcer"></p>
  </section>`;

const RESTING = new Set(["waiting", "refused", "stopped", "barred"]);

export class View {
  /** The template's elements by their data-id. */
  parts = {};
  #rows;
  #countdown = 0;

  /** @param {ShadowRoot} root */
  constructor(root) {
    root.adoptedStyleSheets = [styles];
    root.append(template.content.cloneNode(true));
    for (const node of root.querySelectorAll("[data-id]")) this.parts[node.dataset.id] = node;
    this.#rows = new Rows(this.parts.rows);
  }

  /** Show an empty board that is loading. */
  blank(controls, places) {
    const { frame, app, extent, legend, freshness, choose, ask, forget } = this.parts;
    this.#rows.clear();
    frame.toggleAttribute("data-loading", true);
    setText(app, "Loading");
    for (const node of [extent, legend, freshness]) node.replaceChildren();
    choose.hidden = ask.hidden = forget.hidden = !controls;
    this.explain(null);
    this.reserve(places);
  }

  /** Set the heading. Long words get a smaller font instead of a line break. */
  heading(title, app) {
    setText(this.parts.app, app);
    setText(this.parts.title, title);
    const longest = Math.max(...title.split(" ").map((word) => word.length));
    this.parts.frame.style.setProperty("--longest", String(longest));
    this.parts.frame.toggleAttribute("data-loading", false);
  }

  /** @param {Record<string, string>} facts */
  facts(facts) {
    const rows = Object.entries(facts).map(([term, value]) => createElement("div", "", createElement("dt", "", term), createElement("dd", "", value)));
    this.parts.facts.replaceChildren(...rows);
  }

  /** Reserve space for the rows, so that the layout does not shift when they arrive. */
  reserve(places, filled = 0) {
    const { frame, placeholders } = this.parts;
    frame.style.setProperty("--places", String(places));
    while (placeholders.childElementCount > places) placeholders.lastElementChild.remove();
    while (placeholders.childElementCount < places) placeholders.append(createElement("li"));
    [...placeholders.children].forEach((place, index) => place.toggleAttribute("data-filled", index < filled));
  }

  /** Show a board. `before` is the board shown now, or null to start again; `base` is the address for pictures. */
  board(before, board, base) {
    const { legend, extent } = this.parts;
    const places = board.entries.length;
    if (before === null) {
      this.#rows.clear();
      setText(legend, `▲▼ Places gained or lost since you arrived, at ${formatTime(board.receivedAt)}.`);
    }
    legend.hidden = places === 0;
    setText(extent, places === 0 ? "No scores" : `Top ${formatScore(places)}`);
    this.#rows.render(before, board, base);
  }

  mark(player) {
    this.#rows.mark(player);
  }

  /** Show the state of the connection, and the age of the rows (null if there are none). */
  status(state, receivedAt) {
    const { frame, app, connection, sheet, retry } = this.parts;
    connection.dataset.state = state.name;
    sheet.classList.toggle("stale", state.name !== "live");
    retry.hidden = !RESTING.has(state.name);
    if (state.name !== "connecting" && frame.hasAttribute("data-loading")) {
      frame.toggleAttribute("data-loading", false);
      setText(app, "");
    }
    this.stopCounting();
    this.#count(state, receivedAt !== null);
    if (state.name === "waiting") this.#countdown = setInterval(() => this.#count(state, receivedAt !== null), 1_000);
    this.freshness(state.name === "live", receivedAt);
  }

  stopCounting() {
    clearInterval(this.#countdown);
  }

  #count(state, shown) {
    const [text, reason] = describeState(state, { shown, now: Date.now(), online: navigator.onLine });
    setText(this.parts.state, text);
    setText(this.parts.reason, reason);
  }

  freshness(live, receivedAt) {
    if (receivedAt === null) return;
    const time = createElement("time", "", formatTime(receivedAt));
    time.dateTime = new Date(receivedAt).toISOString();
    this.parts.freshness.replaceChildren(live ? "Updated " : "Not live – last update ", time);
  }

  /** Show a message in place of the rows, or the rows (null). `alone` hides the head, as the board is unknown. */
  explain(content, alone = false) {
    const { frame, message, places } = this.parts;
    frame.toggleAttribute("data-alone", alone);
    message.hidden = content === null;
    message.replaceChildren(...(content ?? []));
    places.hidden = content !== null;
  }
}
