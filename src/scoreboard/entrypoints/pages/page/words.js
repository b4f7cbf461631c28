/** What the board says to people, in the reader's own numbers and dates; and to a screen reader, calmly. */

const numbers = new Intl.NumberFormat();
const signed = new Intl.NumberFormat(undefined, { signDisplay: "always" });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const UTC = { timeZone: "UTC" };
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", ...UTC });
const month = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric", ...UTC });

/** A screen reader hears from us by itself at most this often (milliseconds). */
const SPEAK_EVERY = 30_000;
/** So that what happens at once is told at once, as one. */
const SPEAK_AFTER = 1_000;

/** @param {import("./model.js").Score} score */
export const formatScore = (score) => numbers.format(score);
/** @param {import("./model.js").Score} change */
export const formatChange = (change) => signed.format(change);
/** @param {number} share of 100 */
export const formatPercent = (share) => percent.format(share / 100);
/** @param {number} at milliseconds since 1970 */
export const formatTime = (at) => clock.format(at);

/** An element with a class and children; text is never read as markup. */
export function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** Set text only where it differs: no needless work for layout or a screen reader. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The name of a season, for people: "2026-W47" -> "Week 47, 2026". */
export function seasonWords(season) {
  const week = /^(\d+)-W(\d+)$/.exec(season);
  if (week) return `Week ${Number(week[2])}, ${week[1]}`;
  if (/^\d+-\d+-\d+$/.test(season)) return day.format(Date.parse(season));
  if (/^\d+-\d+$/.test(season)) return month.format(Date.parse(season));
  return season === "all" ? "All time" : season;
}

/**
 * How the connection is, in a few words, and why.
 *
 * @param {{name: string}} state of follow.js
 * @param {{shown: boolean, now: number, online: boolean}} seen whether there is a board; milliseconds since 1970
 */
export function stateWords(state, { shown, now, online }) {
  switch (state.name) {
    case "live": return ["Live", ""];
    case "silent": return ["No answer, checking", ""];
    case "waiting": {
      const seconds = Math.max(1, Math.ceil((state.until - now) / 1000));
      const doing = online ? (shown ? "Reconnecting" : "Trying again") : "Offline, trying again";
      return [`${doing} in ${formatScore(seconds)} s`, shown ? "" : state.reason];
    }
    case "setup": return ["No board to follow", ""];
    case "nowhere": return ["No such address", ""];
    case "barred": return ["Not allowed on this site", ""];
    case "refused": return ["Not available", shown ? `${state.detail} (${state.code})` : ""];
    case "stopped": return ["Ended by the server", shown ? `It said: ${state.reason} (${state.code}).` : ""];
    default: return [shown ? "Reconnecting" : "Connecting", ""];
  }
}

const code = (text) => make("code", "", text);
const lines = (heading, ...children) => [make("h2", "", heading), ...children];
const paragraph = (...children) => make("p", "", ...children);

/** What stands in the place of the rows where a state leaves none to show; null where rows are to come. */
export function explanation(state) {
  switch (state.name) {
    case "refused":
      return lines("This board cannot be shown", paragraph(state.detail || "The server refused it."), paragraph(code(state.code)),
        paragraph("It is asked for again about every 45 seconds, so a board made now shows up by itself."));
    case "stopped":
      return lines("The server ended this connection", paragraph(`It said: ${state.reason}. It is not tried again by itself.`), paragraph(code(String(state.code))));
    case "barred":
      return lines("This site may not show the board", paragraph("The server answers, but not to pages of ", code(location.origin), "."),
        paragraph("Whoever runs it can allow them:"), make("pre", "", `SCOREBOARD_ORIGINS=${location.origin}`));
    case "nowhere":
      return lines("This board has no server", paragraph(code(state.src), " is not an address, such as ", code("https://scores.example"), "."));
    case "setup":
      return lines("There is no board yet", paragraph("Make an app, a board in it, and a token to send scores with:"),
        make("pre", "", "scoreboard apps create shop\nscoreboard boards create main --app shop\nscoreboard token server --app shop"),
        paragraph("Or see one move at once, with made-up players:"), make("pre", "", "scoreboard serve --demo"),
        paragraph("A public board shows up here by itself."));
    default:
      return null;
  }
}

/** An empty board. Whoever is on the server's own page is told how to send the first score. */
export function emptiness({ app, board }, base) {
  if (new URL(base).origin !== location.origin) return lines("No scores yet", paragraph("The first one appears here as it is made."));
  const address = new URL(`v1/apps/${app}/boards/${board}/scores`, base);
  return lines("No scores yet", paragraph("The first one appears here as soon as it is sent:"),
    make("pre", "", `curl -X POST ${address} \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -H "Content-Type: application/json" \\\n  -d '{"player": "alice", "increment": 10}'`));
}

/**
 * What is worth interrupting for: a new leader, and the own place. "" where there is nothing.
 *
 * @param {import("./model.js").Board | null} before what was last spoken of
 * @param {import("./model.js").Board} now
 * @param {string | null} own the player whom the viewer follows
 */
export function news(before, now, own) {
  const [leader] = now.entries;
  const same = before !== null && before.epoch === now.epoch && before.season === now.season;
  const told = [];
  if (leader && !(same && before.entries[0]?.player === leader.player)) told.push(`${leader.name} leads with ${formatScore(leader.score)}.`);
  const rankOf = (board) => board?.entries.find((entry) => entry.player === own);
  const [then, here] = [same ? rankOf(before) : undefined, rankOf(now)];
  if (here && here.rank !== then?.rank && here !== leader) told.push(`${here.name} is at place ${formatScore(here.rank)}.`);
  if (same && then && !here) told.push(`${then.name} is no longer among the first ${formatScore(now.entries.length)}.`);
  return told.join(" ");
}

/** Speaks through a polite live region: at most every SPEAK_EVERY by itself, and then what holds at that moment. */
export class Speaker {
  #region;
  #spokeAt = -Infinity;
  #timer = 0;

  /** @param {HTMLElement} region */
  constructor(region) {
    this.#region = region;
  }

  /** The viewer asked: answer. */
  answer(text) {
    this.#region.textContent = text;
    this.#spokeAt = Date.now();
  }

  /** Something may be worth telling; `words` is called when it is time. */
  mention(words) {
    if (this.#timer) return;
    const wait = Math.max(SPEAK_AFTER, this.#spokeAt + SPEAK_EVERY - Date.now());
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      if (Date.now() < this.#spokeAt + SPEAK_EVERY) {
        this.mention(words); // an answer came between
        return;
      }
      const text = words();
      if (text) this.answer(text);
    }, wait);
  }

  hush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }
}
