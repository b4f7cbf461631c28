/** "Find me": one player's rank, neighbours, percentile and gap to the next, kept fresh while it is looked at. */

import { entryOf } from "./model.js";
import { formatPercent, formatScore, formatTime, make, setText } from "./words.js";

const RADIUS = 2;
/** A place outside the top N changes without a word from the server: look again after this, plus up to half as much. */
const LOOK_EVERY = 15_000;
/** The board has just shown otherwise: look soon, once for a burst; later where only neighbours have moved. */
const LOOK_SOON = 500;
const LOOK_LATER = 2_000;

export class Find {
  #parts;
  #board = null;
  #table = {};
  #player = null;
  /** Entries as shown, with the player among them. */
  #neighbours = [];
  #timer = 0;
  #dueAt = 0;
  #asked = new AbortController();

  /**
   * @param {Record<string, HTMLElement>} parts of the element's template
   * @param {{onWant: (player: string | null) => void, onAnswer: (words: string) => void}} told of what the viewer
   *   asks for, and of the answer in words
   */
  constructor(parts, { onWant, onAnswer }) {
    this.#parts = parts;
    this.onAnswer = onAnswer;
    parts.ask.addEventListener("submit", (event) => {
      event.preventDefault();
      onWant(parts.who.value.trim() || null);
    });
    parts.forget.addEventListener("click", () => {
      onWant(null);
      parts.who.focus();
    });
  }

  /** Show a player's place on a board (of the client), or nothing when there is none to show. */
  follow(board, table, player) {
    this.stop();
    [this.#board, this.#table, this.#player, this.#neighbours] = [board, table, player, []];
    this.#parts.who.value = player ?? "";
    this.#parts.place.hidden = player === null;
    this.#parts.missing.hidden = true;
    if (player === null) return;
    this.#blank();
    if (board) this.#look({ answer: true });
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#asked.abort();
    this.#asked = new AbortController();
  }

  /** The board has changed: look again if what it shows of these players is not what is shown here. */
  compare(entries) {
    const known = new Map(this.#neighbours.map((entry) => [entry.player, entry]));
    const moved = entries.filter(({ player, rank, score }) => {
      const entry = known.get(player);
      return entry && (entry.rank !== rank || entry.score !== score);
    });
    if (moved.length) this.#again(moved.some(({ player }) => player === this.#player) ? LOOK_SOON : LOOK_LATER);
  }

  /** Look again after this, if that is not to happen sooner anyway. */
  #again(ms) {
    const at = Date.now() + ms;
    if (this.#timer && this.#dueAt <= at) return;
    clearTimeout(this.#timer);
    this.#dueAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#look({ answer: false });
    }, ms);
  }

  async #look({ answer }) {
    const { signal } = this.#asked;
    if (!document.hidden || answer) {
      try {
        const asked = { ...this.#table, signal };
        const [standing, around] = await Promise.all([
          this.#board.standing(this.#player, asked),
          this.#board.around(this.#player, { radius: RADIUS, ...asked }),
        ]);
        const neighbours = around.entries.map(entryOf);
        const name = neighbours.find(({ player }) => player === standing.player)?.name ?? standing.player;
        this.#show(standing, name, neighbours);
        if (answer) this.onAnswer(inWords(standing, name));
      } catch (error) {
        if (signal.aborted) return;
        this.#failed(error, answer);
      }
    }
    this.#again(LOOK_EVERY * (1 + Math.random() / 2));
  }

  #show(standing, name, neighbours) {
    const parts = this.#parts;
    this.#neighbours = neighbours;
    parts.place.hidden = false;
    parts.missing.hidden = true;
    setText(parts.placeName, name);
    setText(parts.placeRank, standing.rank === null ? "–" : formatScore(standing.rank));
    setText(parts.placeOf, standing.total === null ? "being ranked" : `of ${formatScore(standing.total)}`);
    setText(parts.placeScore, formatScore(standing.score));
    setText(parts.placeAhead, standing.total > 1 && standing.percentile !== null ? formatPercent(standing.percentile) : "–");
    setText(parts.placeGap, standing.gap_to_next === null ? "–" : formatScore(standing.gap_to_next));
    setText(parts.placeNote, "");
    parts.neighbours.replaceChildren(...neighbours.map((entry) => neighbour(entry, entry.player === standing.player)));
  }

  /** Nothing known yet: the card has its size already. */
  #blank() {
    const { placeName, placeRank, placeOf, placeScore, placeAhead, placeGap, placeNote, neighbours } = this.#parts;
    setText(placeName, this.#player);
    for (const node of [placeRank, placeScore, placeAhead, placeGap]) setText(node, "–");
    for (const node of [placeOf, placeNote]) setText(node, "");
    neighbours.replaceChildren();
  }

  #failed(error, answer) {
    const { place, missing, placeNote } = this.#parts;
    if (error.status === 404) {
      this.#neighbours = [];
      place.hidden = true;
      missing.hidden = false;
      setText(missing, `“${this.#player}” has no score here.`);
      if (answer) this.onAnswer(missing.textContent);
    } else {
      setText(placeNote, `Not looked up at ${formatTime(Date.now())}: ${error.detail ?? error.message}`);
    }
  }
}

function neighbour(entry, own) {
  const row = make("li", "", make("span", "rank", formatScore(entry.rank)), make("bdi", "name", entry.name), make("span", "score", formatScore(entry.score)));
  row.toggleAttribute("data-own", own);
  if (own) row.setAttribute("aria-current", "true");
  return row;
}

function inWords({ rank, total, percentile, gap_to_next: gap }, name) {
  if (rank === null) return `${name} is being ranked.`;
  const place = `${name} is at place ${formatScore(rank)} of ${formatScore(total)}.`;
  const ahead = total > 1 && percentile !== null ? ` Ahead of ${formatPercent(percentile)} of the others.` : "";
  return place + ahead + (gap === null ? "" : ` ${formatScore(gap)} to the next score.`);
}
