/**
 * <live-scoreboard src="https://scores.example" app="game" board="main"></live-scoreboard>
 *
 * The live top of one board; docs/how-to/embed.md has its attributes, custom properties and events. What is not said
 * of `app` and `board` is the service's first public board; the service is the one this module came from unless `src`
 * names another.
 */

import { Choose } from "./choose.js";
import { Find } from "./find.js";
import { Following } from "./follow.js";
import { applyTop, nameOf, titleOf } from "./model.js";
import { View } from "./view.js";
import { Speaker, emptiness, explanation, formatScore, news, seasonWords } from "./words.js";

/** What the viewer may choose. */
const CHOSEN = ["app", "board", "season", "region", "find"];
/** A change of these means another board, or other rows of it. */
const FOLLOWED = ["src", "app", "board", "season", "region", "limit", "controls", "tv"];
/** Places kept free while what fills them is not known. */
const USUAL_PLACES = 10;
const MAX_RESERVED = 100;
const CHOICES = 100;

export class LiveScoreboard extends HTMLElement {
  static observedAttributes = [...FOLLOWED, "find", "level"];

  #view;
  #choose;
  #find;
  #speaker;
  /** Of the run that ends when the element is taken out, or follows another board. */
  #run = null;
  #following = null;
  #listing = null;
  #client = null;
  #state = { name: "idle" };
  #board = null;
  #shown = null;
  #spoken = null;
  #frame = 0;

  constructor() {
    super();
    this.#view = new View(this.attachShadow({ mode: "open" }));
    const { parts } = this.#view;
    this.#choose = new Choose(parts, (choice) => this.#chosen(choice));
    this.#speaker = new Speaker(parts.speaker);
    this.#find = new Find(parts, { onWant: (find) => this.#chosen({ find }), onAnswer: (words) => this.#speaker.answer(words) });
    parts.retry.addEventListener("click", () => this.#following?.retry());
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
    else if (name === "find") this.#seek();
    else this.#start();
  }

  /** The service's address, with a closing slash. Throws TypeError for what is no address. */
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

  get #own() {
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
    this.#following?.stop();
    this.#find.stop();
    this.#speaker.hush();
    this.#view.stopCounting();
    cancelAnimationFrame(this.#frame);
    this.#run = this.#following = this.#client = this.#listing = this.#board = this.#shown = this.#spoken = null;
    this.#frame = 0;
  }

  #follow() {
    const [app, board] = ["app", "board"].map((name) => this.getAttribute(name) || undefined);
    const choices = this.hasAttribute("controls") ? CHOICES : 1;
    this.#seek();
    try {
      this.#following = new Following({ base: this.#base, app, board, choices, ...this.#table }, {
        boards: (listing, client) => this.#offer(listing, client),
        top: (message) => this.#take(message),
        state: (state) => this.#status(state),
      });
    } catch {
      this.#status({ name: "nowhere", src: this.getAttribute("src") });
      return;
    }
    this.#following.start();
  }

  #wake() {
    if (document.visibilityState === "visible") this.#following?.wake();
  }

  /** The viewer's choice becomes the element's attributes; the page around may keep it. */
  #chosen(choice) {
    for (const [name, value] of Object.entries(choice)) {
      if (value === null) this.removeAttribute(name);
      else this.setAttribute(name, value);
    }
    this.#tell("choose", Object.fromEntries(CHOSEN.map((name) => [name, this.getAttribute(name)])));
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(`scoreboard-${name}`, { detail, bubbles: true, composed: true }));
  }

  #offer(listing, client) {
    const { season = null, region = null } = this.#table;
    [this.#listing, this.#client] = [listing, client];
    const name = nameOf(listing.shown ?? client);
    this.#choose.offer(listing, season, region);
    this.#view.reserve(Math.min(this.#limit, listing.shown?.top_n ?? USUAL_PLACES, MAX_RESERVED));
    this.#view.heading(name, listing.shown?.app_name ?? client.app);
    this.#view.facts(this.#facts(null));
    this.#seek();
    this.#tell("board", { app: client.app, board: client.board, name, ...this.#table });
  }

  #seek() {
    this.#find.follow(this.#client, this.#table, this.#own);
    this.#view.parts.find.hidden = !this.hasAttribute("controls") && this.#own === null;
    this.#view.mark(this.#own);
  }

  #facts(board) {
    const { shown, seasons } = this.#listing;
    const season = board?.season ?? this.#table.season ?? seasons[0] ?? "all";
    const { region } = this.#table;
    return {
      Players: board ? formatScore(board.total) : "–",
      ...(!this.hasAttribute("controls") && (region || shown?.regions.length) && { Region: region ? titleOf(region) : "World" }),
      ...(season !== "all" && { Season: seasonWords(season) }),
      ...(shown?.direction === "ascending" && { Best: "Lowest score" }),
    };
  }

  #take(message) {
    this.#board = applyTop(this.#board, message, Date.now(), this.#limit);
    this.#frame ||= requestAnimationFrame(() => this.#draw()); // at most once a frame, however fast messages come
  }

  #draw() {
    this.#frame = 0;
    const [before, board, view] = [this.#shown, this.#board, this.#view];
    this.#shown = board;
    const { entries, epoch, season, total } = board;
    const continues = before?.epoch === epoch && before.season === season;
    const usual = Math.min(this.#limit, this.#listing.shown?.top_n ?? USUAL_PLACES, USUAL_PLACES);
    view.reserve(Math.max(entries.length, usual), entries.length);
    view.explain(entries.length === 0 ? emptiness(board, this.#base) : null);
    view.board(continues ? before : null, board, this.#base);
    view.facts(this.#facts(board));
    view.freshness(this.#state.name === "live", board.receivedAt);
    view.mark(this.#own);
    this.#find.compare(entries);
    this.#speak();
    this.#tell("change", { entries, total, season });
  }

  #status(state) {
    const told = this.#state.name !== state.name;
    this.#state = state;
    this.#view.status(state, this.#board?.receivedAt ?? null);
    if (!this.#board) this.#view.explain(explanation(state), this.#listing === null && state.name !== "connecting");
    if (this.#shown) this.#speak();
    if (told) this.#tell("state", { name: state.name });
  }

  #speak() {
    this.#speaker.mention(() => {
      const live = this.#state.name === "live";
      const words = [];
      if (this.#spoken && this.#spoken.live !== live) words.push(live ? "Live again." : "Not live: connection lost.");
      if (live) words.push(news(this.#spoken?.board ?? null, this.#shown, this.#own));
      this.#spoken = { live, board: live ? this.#shown : (this.#spoken?.board ?? null) };
      return words.filter(Boolean).join(" ");
    });
  }
}

customElements.define("live-scoreboard", LiveScoreboard);
