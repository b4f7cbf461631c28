/** The pickers of board, season and region. Each is shown only if there is a choice. */

import { nameOf, titleOf } from "./model.js";
import { createElement, formatSeason } from "./texts.js";

const SEPARATOR = "/"; // ids of apps and boards cannot contain it

export class Pickers {
  #parts;

  /**
   * @param {Record<string, HTMLElement>} parts chooseBoard, chooseSeason, chooseRegion: each a <select>
   * @param {(choice: Record<string, string | null>) => void} onChoose attributes to set, or to remove if null
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

  /** Fill the pickers and select the chosen season and region. */
  fill({ shown, seasons, boards }, season, region) {
    const { chooseBoard, chooseSeason, chooseRegion } = this.#parts;
    const all = shown && !boards.some((board) => isSame(board, shown)) ? [shown, ...boards] : boards;
    setOptions(chooseBoard, shown ? byApp(all) : [placeholder(), ...byApp(all)], shown ? idOf(shown) : "");
    setOptions(chooseSeason, optionsOf("Current", seasons.slice(1), season, formatSeason), season ?? "");
    setOptions(chooseRegion, optionsOf("World", shown?.regions ?? [], region, titleOf), region ?? "");
  }
}

const idOf = ({ app, board }) => `${app}${SEPARATOR}${board}`;
const isSame = (one, other) => idOf(one) === idOf(other);

function option(value, text) {
  const node = createElement("option", "", text);
  node.value = value;
  return node;
}

/** Return the option that stands for a board that is private or does not exist. It cannot be chosen. */
function placeholder() {
  const node = option("", "Choose a board");
  node.disabled = true;
  return node;
}

/** Return the options of boards, grouped by app if there are several. */
function byApp(boards) {
  const apps = [...new Set(boards.map((board) => board.app))];
  const options = (group) => group.map((board) => option(idOf(board), nameOf(board)));
  if (apps.length < 2) return options(boards);
  return apps.map((app) => {
    const group = boards.filter((board) => board.app === app);
    const node = createElement("optgroup", "", ...options(group));
    node.label = group[0].app_name;
    return node;
  });
}

/** Return the default option, then the names, with a chosen one that is missing; empty without a choice. */
function optionsOf(usual, names, chosen, format) {
  const all = [...new Set([...names, ...(chosen ? [chosen] : [])])];
  return all.length ? [option("", usual), ...all.map((name) => option(name, format(name)))] : [];
}

/** Set the options of a picker; hide it without a choice. */
function setOptions(select, options, value) {
  select.replaceChildren(...options);
  select.value = value;
  select.parentElement.hidden = select.options.length < 2;
}
