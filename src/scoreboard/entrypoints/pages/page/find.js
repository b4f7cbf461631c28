/** "Find me": rank, neighbours, percentile and gap of one player, refreshed while the page is visible. */

import { entryOf } from "./model.js";
import { createElement, formatPercent, formatScore, formatTime, sentence, setText } from "./texts.js";

const RADIUS = 2;
/** Milliseconds between two requests, plus up to half: the server publishes no changes outside the top N. */
const REFRESH_EVERY = 15_000;
/** Milliseconds until a request after the board showed a change of the player, or of a neighbour only. */
const REFRESH_PLAYER_AFTER = 500;
const REFRESH_NEIGHBOURS_AFTER = 2_000;

export class PlayerFinder {
  #parts;
  #board = null;
  #table = {};
  #player = null;
  /** The entries shown, including the player. */
  #neighbours = [];
  #timer = 0;
  #dueAt = 0;
  #requests = new AbortController();

  /**
   * @param {Record<string, HTMLElement>} parts of the element's template
   * @param {{onFind: (player: string | null) => void, onResult: (text: string) => void}} callbacks for the player whom
   *   the viewer enters (null to stop), and for the result as text
   */
  constructor(parts, { onFind, onResult }) {
    this.#parts = parts;
    this.onResult = onResult;
    parts.ask.addEventListener("submit", (event) => {
      event.preventDefault();
      onFind(parts.who.value.trim() || null);
    });
    parts.forget.addEventListener("click", () => {
      onFind(null);
      parts.who.focus();
    });
  }

  /** Follow a player on a board of the client, or nobody (null). */
  follow(board, table, player) {
    this.stop();
    [this.#board, this.#table, this.#player, this.#neighbours] = [board, table, player, []];
    this.#parts.who.value = player ?? "";
    this.#parts.place.hidden = player === null;
    this.#parts.missing.hidden = true;
    if (player === null) return;
    this.#clear();
    if (board) this.#refresh({ announce: true });
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#requests.abort();
    this.#requests = new AbortController();
  }

  /** Request the player again if the board shows another rank or score of the entries here. */
  compare(entries) {
    const shown = new Map(this.#neighbours.map((entry) => [entry.player, entry]));
    const moved = entries.filter(({ player, rank, score }) => {
      const entry = shown.get(player);
      return entry && (entry.rank !== rank || entry.score !== score);
    });
    if (moved.length) this.#schedule(moved.some(({ player }) => player === this.#player) ? REFRESH_PLAYER_AFTER : REFRESH_NEIGHBOURS_AFTER);
  }

  /** Request again after this time, unless an earlier request is due. */
  #schedule(ms) {
    const at = Date.now() + ms;
    if (this.#timer && this.#dueAt <= at) return;
    clearTimeout(this.#timer);
    this.#dueAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#refresh({ announce: false });
    }, ms);
  }

  async #refresh({ announce }) {
    const { signal } = this.#requests;
    if (!document.hidden || announce) {
      try {
        const asked = { ...this.#table, signal };
        const [standing, around] = await Promise.all([
          this.#board.standing(this.#player, asked),
          this.#board.around(this.#player, { radius: RADIUS, ...asked }),
        ]);
        const neighbours = around.entries.map(entryOf);
        const name = neighbours.find(({ player }) => player === standing.player)?.name ?? standing.player;
        this.#show(standing, name, neighbours);
        if (announce) this.onResult(describeStanding(standing, name));
      } catch (error) {
        if (signal.aborted) return;
        this.#failed(error, announce);
      }
    }
    this.#schedule(REFRESH_EVERY * (1 + Math.random() / 2));
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

  /** Show an empty card of the final size. */
  #clear() {
    const { placeName, placeRank, placeOf, placeScore, placeAhead, placeGap, placeNote, neighbours } = this.#parts;
    setText(placeName, this.#player);
    for (const node of [placeRank, placeScore, placeAhead, placeGap]) setText(node, "–");
    for (const node of [placeOf, placeNote]) setText(node, "");
    neighbours.replaceChildren();
  }

  #failed(error, announce) {
    const { place, missing, placeNote } = this.#parts;
    if (error.status === 404) {
      this.#neighbours = [];
      place.hidden = true;
      missing.hidden = false;
      setText(missing, `“${this.#player}” has no score here.`);
      if (announce) this.onResult(missing.textContent);
    } else {
      setText(placeNote, `Update failed at ${formatTime(Date.now())}. ${sentence(error.detail ?? error.message)}`);
    }
  }
}

function neighbour(entry, own) {
  const row = createElement("li", "", createElement("span", "rank", formatScore(entry.rank)), createElement("bdi", "name", entry.name), createElement("span", "score", formatScore(entry.score)));
  row.toggleAttribute("data-own", own);
  if (own) row.setAttribute("aria-current", "true");
  return row;
}

function describeStanding({ rank, total, percentile, gap_to_next: gap }, name) {
  if (rank === null) return `${name} is being ranked.`;
  const place = `${name} has rank ${formatScore(rank)} of ${formatScore(total)}.`;
  const ahead = total > 1 && percentile !== null ? ` Ahead of ${formatPercent(percentile)} of the other players.` : "";
  return place + ahead + (gap === null ? "" : ` ${formatScore(gap)} to the next score.`);
}
