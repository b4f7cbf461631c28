/** The rows of a board: one <li> per player, reused and animated. */

import { hue, initials, movement, safeAvatar, scoreChanges, shares } from "./model.js";
import { createElement, formatChange, formatScore, setText } from "./texts.js";

const GLIDE = { duration: 520, easing: "cubic-bezier(.2, .8, .2, 1)" };
const FLASH = { duration: 1_200, easing: "ease-out" };
const LIT = { backgroundColor: "var(--flash)" };
const INK = { color: "var(--flash-ink)" };
const still = matchMedia("(prefers-reduced-motion: reduce)");

const MOVES = {
  same: () => ["", ""],
  new: () => ["new", "new since you arrived"],
  up: (n) => [`▲${n}`, `up ${n} since you arrived`],
  down: (n) => [`▼${n}`, `down ${n} since you arrived`],
};

/** Hide an element from screen readers. */
function hideFromReaders(node) {
  node.setAttribute("aria-hidden", "true");
  return node;
}

/** The elements of one row. Texts that players chose are set with textContent. */
class Row {
  constructor(player) {
    this.rank = createElement("span", "rank");
    this.letters = createElement("span", "letters");
    this.avatar = hideFromReaders(createElement("span", "avatar", this.letters));
    this.name = createElement("bdi"); // isolates the writing direction of the name
    this.nameBox = createElement("span", "name", this.name);
    this.arrow = hideFromReaders(createElement("span"));
    this.moveText = createElement("span", "visually-hidden");
    this.move = createElement("span", "move", this.arrow, this.moveText);
    this.change = hideFromReaders(createElement("span", "change"));
    this.score = createElement("span", "score");
    const bar = hideFromReaders(createElement("span", "bar"));
    this.li = createElement("li", "row", this.rank, this.avatar, this.nameBox, this.move, this.change, this.score, bar);
    this.li.style.setProperty("--hue", String(hue(player)));
  }

  update(entry, moved, share, base) {
    setText(this.rank, formatScore(entry.rank));
    setText(this.name, entry.name);
    if (this.nameBox.title !== entry.name) this.nameBox.title = entry.name;
    setText(this.letters, initials(entry.name));
    this.#picture(safeAvatar(entry.avatar, base));
    const [arrow, text] = MOVES[moved.kind](moved.places);
    this.move.dataset.kind = moved.kind;
    setText(this.arrow, arrow);
    setText(this.moveText, text);
    setText(this.score, formatScore(entry.score));
    this.li.dataset.place = entry.rank <= 3 ? String(entry.rank) : "";
    this.li.style.setProperty("--share", share.toFixed(4));
  }

  #picture(url) {
    if (this.url === url) return;
    this.url = url;
    this.avatar.querySelector("img")?.remove();
    if (!url) return;
    const image = document.createElement("img");
    image.alt = "";
    image.decoding = "async";
    image.referrerPolicy = "no-referrer";
    image.addEventListener("error", () => image.remove());
    image.src = url;
    this.avatar.append(image);
  }

  /** Show the change of the score, and highlight it briefly. */
  flash(change) {
    setText(this.change, formatChange(change));
    this.change.animate({ opacity: [1, 1, 0] }, { duration: 1800 });
    if (still.matches) return;
    this.score.animate([LIT, { ...LIT, offset: 0.7 }, {}], FLASH);
    this.score.animate([INK, INK], { duration: FLASH.duration * 0.85 }); // not faded, as its colour would match the fading background
  }
}

export class Rows {
  #rows = new Map();

  /** @param {HTMLOListElement} list */
  constructor(list) {
    this.list = list;
  }

  clear() {
    this.#rows.clear();
    this.list.replaceChildren();
  }

  /**
   * @param {import("./model.js").Board | null} before the board shown now
   * @param {import("./model.js").Board} board
   * @param {string} base the service's address, for pictures
   */
  render(before, board, base) {
    const moving = before !== null && !still.matches && !document.hidden;
    const from = moving ? this.#tops() : new Map();
    const share = shares(board.entries);
    const staying = new Set(board.entries.map((entry) => entry.player));
    for (const player of [...this.#rows.keys()]) if (!staying.has(player)) this.#leave(player, moving);

    let next = this.list.firstElementChild;
    board.entries.forEach((entry, index) => {
      let row = this.#rows.get(entry.player);
      if (!row) this.#rows.set(entry.player, (row = new Row(entry.player)));
      row.update(entry, movement(board, entry), share[index], base);
      while (next?.dataset.leaving) next = next.nextElementSibling;
      if (row.li === next) next = next.nextElementSibling;
      else this.list.insertBefore(row.li, next);
    });
    const longest = Math.max(0, ...board.entries.map((entry) => formatScore(entry.score).length));
    this.list.style.setProperty("--digits", String(longest));
    this.list.toggleAttribute("data-wide", longest > 15);

    if (moving) this.#glide(from);
    for (const [player, change] of scoreChanges(before, board)) this.#rows.get(player).flash(change);
  }

  /** Mark the row of the player whom the viewer follows, if there is one. */
  mark(player) {
    for (const [id, { li }] of this.#rows) li.toggleAttribute("data-own", id === player);
  }

  /** Return the position of each row on the screen, also during an animation. */
  #tops() {
    const tops = new Map();
    for (const [player, row] of this.#rows) tops.set(player, row.li.getBoundingClientRect().top);
    return tops;
  }

  /** Animate the rows from their old to their new positions (the FLIP technique). */
  #glide(from) {
    for (const row of this.#rows.values()) row.glide?.cancel();
    const to = this.#tops(); // all reads before any write
    for (const [player, row] of this.#rows) {
      const start = from.get(player);
      if (start === undefined) {
        row.glide = row.li.animate({ opacity: [0, 1], transform: ["translateY(40%)", "none"] }, GLIDE);
      } else if (Math.abs(start - to.get(player)) > 0.5) {
        const distance = start - to.get(player);
        const zIndex = distance > 0 ? 2 : 1; // a climbing row passes in front
        row.glide = row.li.animate(
          [{ transform: `translateY(${distance}px)`, zIndex }, { transform: "none", zIndex }],
          GLIDE,
        );
      }
    }
  }

  #leave(player, moving) {
    const { li } = this.#rows.get(player);
    this.#rows.delete(player);
    if (!moving) {
      li.remove();
      return;
    }
    li.style.setProperty("--from", `${li.offsetTop}px`);
    li.dataset.leaving = "true"; // out of the flow, see board.css
    li.setAttribute("aria-hidden", "true");
    const animation = li.animate({ opacity: [1, 0], transform: ["none", "translateY(40%)"] }, { ...GLIDE, fill: "forwards" });
    animation.finished.then(() => li.remove(), () => li.remove());
  }
}
