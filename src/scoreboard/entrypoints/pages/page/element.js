/**
 * <live-scoreboard src="https://scores.example" app="game" board="main"></live-scoreboard>
 *
 * The live top of one board. Its attributes, custom properties and events are described in docs/how-to/embed.md.
 * Without `app` and `board` it shows the first public board of the service. The service is the one that this module was
 * loaded from, unless `src` names another.
 */

import { Pickers } from "./choose.js";
import { PlayerFinder } from "./find.js";
import { BoardFollower } from "./follow.js";
import { applyTop, nameOf, titleOf } from "./model.js";
import { View } from "./view.js";
import { Announcer, describeChanges, explainEmptyBoard, explainState, formatScore, formatSeason } from "./texts.js";

/** Attributes that the viewer may change. */
const CHOSEN = ["app", "board", "season", "region", "find"];
/** Attributes whose change starts the element again, for another board or other rows. */
const FOLLOWED = ["src", "app", "board", "season", "region", "limit", "controls", "tv"];
/** Rows for which space is reserved while their number is unknown. */
const USUAL_PLACES = 10;
const MAX_RESERVED = 100;
const CHOICES = 100;

export class LiveScoreboard extends HTMLElement {
  static observedAttributes = [...FOLLOWED, "find", "level"];

  #view;
  #pickers;
  #finder;
  #announcer;
  /** Aborted when the element is removed, or follows another board. */
  #run = null;
  #follower = null;
  #listing = null;
  #client = null;
  #state = { name: "idle" };
  #board = null;
  #shown = null;
  #announced = null;
  #frame = 0;

  constructor() {
    super();
    this.#view = new View(this.attachShadow({ mode: "open" }));
    const { parts } = this.#view;
    this.#pickers = new Pickers(parts, (choice) => this.#applyChoice(choice));
    this.#announcer = new Announcer(parts.announcer);
    this.#finder = new PlayerFinder(parts, { onFind: (find) => this.#applyChoice({ find }), onResult: (text) => this.#announcer.announce(text) });
    parts.retry.addEventListener("click", () => this.#follower?.retry());
  }

  connectedCallback() {
    this.#start();
  }

  disconnectedCallback() {
    this.#stop();
  }

  attributeChangedCallback(name, before, after) {
    if (name === "level") this.#view.parts.title.setAttribute("aria-level", after ?? "2");
    else if (!this.#run || before === after) return;
    else if (name === "find") this.#findPlayer();
    else this.#start();
  }

  /** The service's address, with a trailing slash. Throws TypeError if it is invalid. */
  get #base() {
    const own = new URL("../..", import.meta.url).href;
    return new URL(this.getAttribute("src") || own, document.baseURI).href.replace(/\/?$/, "/");
  }

  get #limit() {
    const asked = Number.parseInt(this.getAttribute("limit") ?? "", 10);
    if (asked > 0) return asked;
    return this.hasAttribute("tv") ? USUAL_PLACES : Infinity;
  }

  get #table() {
    const [season, region] = [this.getAttribute("season"), this.getAttribute("region")];
    return { ...(season && { season }), ...(region && { region }) };
  }

  get #player() {
    return this.getAttribute("find") || null;
  }

  #start() {
    this.#stop();
    const run = (this.#run = new AbortController());
    for (const [target, name] of [[window, "online"], [window, "offline"], [window, "pageshow"], [document, "visibilitychange"]]) {
      target.addEventListener(name, () => this.#wake(), { signal: run.signal });
    }
    this.#view.blank(this.hasAttribute("controls"), Math.min(this.#limit, USUAL_PLACES));
    // Attributes are often set one after another: start once, with all of them.
    queueMicrotask(() => !run.signal.aborted && this.#follow());
  }

  #stop() {
    this.#run?.abort();
    this.#follower?.stop();
    this.#finder.stop();
    this.#announcer.cancel();
    this.#view.stopCounting();
    cancelAnimationFrame(this.#frame);
    this.#run = this.#follower = this.#client = this.#listing = this.#board = this.#shown = this.#announced = null;
    this.#frame = 0;
  }

  #follow() {
    const [app, board] = ["app", "board"].map((name) => this.getAttribute(name) || undefined);
    const choices = this.hasAttribute("controls") ? CHOICES : 1;
    this.#findPlayer();
    try {
      this.#follower = new BoardFollower({ base: this.#base, app, board, choices, ...this.#table }, {
        boards: (listing, client) => this.#showBoards(listing, client),
        top: (message) => this.#applyTop(message),
        state: (state) => this.#status(state),
      });
    } catch {
      this.#status({ name: "nowhere", src: this.getAttribute("src") });
      return;
    }
    this.#follower.start();
  }

  #wake() {
    if (document.visibilityState === "visible") this.#follower?.wake();
  }

  /** Set a choice of the viewer as attributes, and notify the page. */
  #applyChoice(choice) {
    for (const [name, value] of Object.entries(choice)) {
      if (value === null) this.removeAttribute(name);
      else this.setAttribute(name, value);
    }
    this.#dispatch("choose", Object.fromEntries(CHOSEN.map((name) => [name, this.getAttribute(name)])));
  }

  #dispatch(name, detail) {
    this.dispatchEvent(new CustomEvent(`scoreboard-${name}`, { detail, bubbles: true, composed: true }));
  }

  #showBoards(listing, client) {
    const { season = null, region = null } = this.#table;
    [this.#listing, this.#client] = [listing, client];
    const name = nameOf(listing.shown ?? client);
    this.#pickers.fill(listing, season, region);
    this.#view.reserve(Math.min(this.#limit, listing.shown?.top_n ?? USUAL_PLACES, MAX_RESERVED));
    this.#view.heading(name, listing.shown?.app_name ?? client.app);
    this.#view.facts(this.#facts(null));
    this.#findPlayer();
    this.#dispatch("board", { app: client.app, board: client.board, name, ...this.#table });
  }

  #findPlayer() {
    this.#finder.follow(this.#client, this.#table, this.#player);
    this.#view.parts.find.hidden = !this.hasAttribute("controls") && this.#player === null;
    this.#view.mark(this.#player);
  }

  #facts(board) {
    const { shown, seasons } = this.#listing;
    const season = board?.season ?? this.#table.season ?? seasons[0] ?? "all";
    const { region } = this.#table;
    return {
      Players: board ? formatScore(board.total) : "–",
      ...(!this.hasAttribute("controls") && (region || shown?.regions.length) && { Region: region ? titleOf(region) : "World" }),
      ...(season !== "all" && { Season: formatSeason(season) }),
      ...(shown?.direction === "ascending" && { Best: "Lowest score" }),
    };
  }

  #applyTop(message) {
    this.#board = applyTop(this.#board, message, Date.now(), this.#limit);
    this.#frame ||= requestAnimationFrame(() => this.#draw()); // at most once a frame
  }

  #draw() {
    this.#frame = 0;
    const [before, board, view] = [this.#shown, this.#board, this.#view];
    this.#shown = board;
    const { entries, epoch, season, total } = board;
    const continues = before?.epoch === epoch && before.season === season;
    const usual = Math.min(this.#limit, this.#listing.shown?.top_n ?? USUAL_PLACES, USUAL_PLACES);
    view.reserve(Math.max(entries.length, usual), entries.length);
    view.explain(entries.length === 0 ? explainEmptyBoard(board, this.#listing.shown?.operator ?? "increment", this.#base) : null);
    view.board(continues ? before : null, board, this.#base);
    view.facts(this.#facts(board));
    view.freshness(this.#state.name === "live", board.receivedAt);
    view.mark(this.#player);
    this.#finder.compare(entries);
    this.#announce();
    this.#dispatch("change", { entries, total, season });
  }

  #status(state) {
    const changed = this.#state.name !== state.name;
    this.#state = state;
    this.#view.status(state, this.#board?.receivedAt ?? null);
    if (!this.#board) this.#view.explain(explainState(state), this.#listing === null && state.name !== "connecting");
    if (this.#shown) this.#announce();
    if (changed) this.#dispatch("state", { name: state.name });
  }

  #announce() {
    this.#announcer.schedule(() => {
      const live = this.#state.name === "live";
      const texts = [];
      if (this.#announced && this.#announced.live !== live) texts.push(live ? "Live again." : "Connection lost. Scores are not live.");
      if (live) texts.push(describeChanges(this.#announced?.board ?? null, this.#shown, this.#player));
      this.#announced = { live, board: live ? this.#shown : (this.#announced?.board ?? null) };
      return texts.filter(Boolean).join(" ");
    });
  }
}

customElements.define("live-scoreboard", LiveScoreboard);
