/** The pickers: which board, season and region. Each is there only where there is a choice. */

import { nameOf, titleOf } from "./model.js";
import { make, seasonWords } from "./words.js";

const SEPARATOR = "/"; // no id of an app or a board has one

export class Choose {
  #parts;

  /**
   * @param {Record<string, HTMLElement>} parts chooseBoard, chooseSeason, chooseRegion: each a <select>
   * @param {(choice: Record<string, string | null>) => void} onChoose attributes to set, or (null) to remove
   */
  constructor(parts, onChoose) {
    this.#parts = parts;
    const on = (select, chosen) => select.addEventListener("change", () => onChoose(chosen(select.value || null)));
    on(parts.chooseBoard, (value) => {
      const [app, board] = value.split(SEPARATOR);
      return { app, board, season: null, region: null };
    });
    on(parts.chooseSeason, (season) => ({ season }));
    on(parts.chooseRegion, (region) => ({ region }));
  }

  /** Offer what there is; `season` and `region` are those chosen. */
  offer({ shown, seasons, boards }, season, region) {
    const { chooseBoard, chooseSeason, chooseRegion } = this.#parts;
    const all = shown && !boards.some((board) => isSame(board, shown)) ? [shown, ...boards] : boards;
    fill(chooseBoard, shown ? byApp(all) : [unchosen(), ...byApp(all)], shown ? idOf(shown) : "");
    fill(chooseSeason, named("Current", seasons.slice(1), season, seasonWords), season ?? "");
    fill(chooseRegion, named("World", shown?.regions ?? [], region, titleOf), region ?? "");
  }
}

const idOf = ({ app, board }) => `${app}${SEPARATOR}${board}`;
const isSame = (one, other) => idOf(one) === idOf(other);

function option(value, text) {
  const node = make("option", "", text);
  node.value = value;
  return node;
}

/** What stands for a board that is not public, or not there; nobody can choose it. */
function unchosen() {
  const node = option("", "Choose a board");
  node.disabled = true;
  return node;
}

/** One app needs no heading. */
function byApp(boards) {
  const apps = [...new Set(boards.map((board) => board.app))];
  const options = (group) => group.map((board) => option(idOf(board), nameOf(board)));
  if (apps.length < 2) return options(boards);
  return apps.map((app) => {
    const group = boards.filter((board) => board.app === app);
    const node = make("optgroup", "", ...options(group));
    node.label = group[0].app_name;
    return node;
  });
}

/** What is usual, then what there is by name, with the one chosen by hand; nothing where there is no choice. */
function named(usual, names, chosen, words) {
  const all = [...new Set([...names, ...(chosen ? [chosen] : [])])];
  return all.length ? [option("", usual), ...all.map((name) => option(name, words(name)))] : [];
}

/** Hidden where there is nothing to choose. */
function fill(select, options, value) {
  select.replaceChildren(...options);
  select.value = value;
  select.parentElement.hidden = select.options.length < 2;
}
