/** The texts of the board in the reader's own number and date formats, and their announcement to screen readers. */

const numbers = new Intl.NumberFormat();
const signed = new Intl.NumberFormat(undefined, { signDisplay: "always" });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const UTC = { timeZone: "UTC" };
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", ...UTC });
const month = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric", ...UTC });

/** Minimum milliseconds between two announcements that the viewer did not ask for. */
const ANNOUNCE_EVERY = 30_000;
/** Milliseconds that an announcement waits, so that it covers all changes of a burst. */
const ANNOUNCE_AFTER = 1_000;

/** @param {import("./model.js").Score} score */
export const formatScore = (score) => numbers.format(score);
/** @param {import("./model.js").Score} change */
export const formatChange = (change) => signed.format(change);
/** @param {number} share of 100 */
export const formatPercent = (share) => percent.format(share / 100);
/** @param {number} at milliseconds since 1970 */
export const formatTime = (at) => clock.format(at);

/** Return the detail of an error as a sentence: "no response" -> "No response." */
export function sentence(text) {
  if (!text) return "";
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** Create an element with a class and children. Text is never parsed as markup. */
export function createElement(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** Set the text of an element if it differs. This saves layout work and repeated announcements. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Return the name of a season as people write it: "2026-W47" -> "Week 47, 2026". */
export function formatSeason(season) {
  const week = /^(\d+)-W(\d+)$/.exec(season);
  if (week) return `Week ${Number(week[2])}, ${week[1]}`;
  if (/^\d+-\d+-\d+$/.test(season)) return day.format(Date.parse(season));
  if (/^\d+-\d+$/.test(season)) return month.format(Date.parse(season));
  return season === "all" ? "All time" : season;
}

/**
 * Return a short text for the state of the connection, and its reason.
 *
 * @param {{name: string}} state of follow.js
 * @param {{shown: boolean, now: number, online: boolean}} seen whether rows are shown; milliseconds since 1970
 */
export function describeState(state, { shown, now, online }) {
  switch (state.name) {
    case "live": return ["Live", ""];
    case "silent": return ["No response, checking", ""];
    case "waiting": {
      const seconds = Math.max(1, Math.ceil((state.until - now) / 1000));
      const doing = online ? (shown ? "Reconnecting" : "Retrying") : "Offline, retrying";
      return [`${doing} in ${formatScore(seconds)} s`, shown ? "" : sentence(state.reason)];
    }
    case "setup": return ["No board to show", ""];
    case "nowhere": return ["Invalid address", ""];
    case "barred": return ["Not allowed on this site", ""];
    case "refused": return ["Not available", shown ? `${sentence(state.detail)} (${state.code})` : ""];
    case "stopped": return ["Closed by the server", shown ? `${sentence(state.reason)} (${state.code})` : ""];
    default: return [shown ? "Reconnecting" : "Connecting", ""];
  }
}

const code = (text) => createElement("code", "", text);
const section = (heading, ...children) => [createElement("h2", "", heading), ...children];
const paragraph = (...children) => createElement("p", "", ...children);
const commands = (text) => createElement("pre", "", text);

/** Return why the board cannot be shown. A viewer has no token, so advice for API clients is replaced. */
function explainRefusal({ code, detail }) {
  if (code === "token_missing") return "This board is private. This page shows only public boards.";
  return sentence(detail) || "The server refused the request.";
}

/** Return the message for a state without rows, or null if rows can follow. */
export function explainState(state) {
  switch (state.name) {
    case "refused":
      return section("This board cannot be shown", paragraph(explainRefusal(state)), paragraph(code(state.code)),
        paragraph("The page retries about every 45 seconds, and shows the board as soon as it is available."));
    case "stopped":
      return section("The server closed the connection", paragraph(`${sentence(state.reason)} The page does not reconnect automatically.`), paragraph(code(String(state.code))));
    case "barred":
      return section("This site may not show the board", paragraph("The server does not allow pages of ", code(location.origin), "."),
        paragraph("Its operator can allow them with this setting:"), commands(`SCOREBOARD_ORIGINS=${location.origin}`));
    case "nowhere":
      return section("This board has no server", paragraph(code(state.src), " is not a valid address. Use one such as ", code("https://scores.example"), "."));
    case "setup":
      return section("There is no board yet", paragraph("Create an app, a board, and a token to send scores with:"),
        commands("scoreboard apps create shop\nscoreboard boards create main --app shop\nscoreboard token server --app shop"),
        paragraph("Or start a demo with simulated players:"), commands("scoreboard serve --demo"),
        paragraph("A public board appears here automatically."));
    default:
      return null;
  }
}

/** Return the message for an empty board; on the server's own page, with the command that sends a score. */
export function explainEmptyBoard({ app, board }, operator, base) {
  if (new URL(base).origin !== location.origin) return section("No scores yet", paragraph("The first score appears here as soon as it is sent."));
  const address = new URL(`v1/apps/${app}/boards/${board}/scores`, base);
  return section("No scores yet", paragraph("The first score appears here as soon as it is sent:"),
    commands(`TOKEN=$(scoreboard token server --app ${app})\ncurl -X POST ${address} \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -H "Content-Type: application/json" \\\n  -d '{"player": "alice", "${operator === "increment" ? "increment" : "score"}": 10}'`));
}

/**
 * Return the changes worth announcing, "" if none: a new leader, and the rank of the followed player.
 *
 * @param {import("./model.js").Board | null} before the board last announced
 * @param {import("./model.js").Board} now
 * @param {string | null} player whom the viewer follows
 */
export function describeChanges(before, now, player) {
  const [leader] = now.entries;
  const same = before !== null && before.epoch === now.epoch && before.season === now.season;
  const changes = [];
  if (leader && !(same && before.entries[0]?.player === leader.player)) changes.push(`${leader.name} leads with ${formatScore(leader.score)}.`);
  const entryIn = (board) => board?.entries.find((entry) => entry.player === player);
  const [then, here] = [same ? entryIn(before) : undefined, entryIn(now)];
  if (here && here.rank !== then?.rank && here !== leader) changes.push(`${here.name} has rank ${formatScore(here.rank)}.`);
  if (same && then && !here) changes.push(`${then.name} is no longer in the top ${formatScore(now.entries.length)}.`);
  return changes.join(" ");
}

/** Announcements through a polite live region, at most every ANNOUNCE_EVERY unless the viewer asks. */
export class Announcer {
  #region;
  #announcedAt = -Infinity;
  #timer = 0;

  /** @param {HTMLElement} region */
  constructor(region) {
    this.#region = region;
  }

  /** Announce a text now, as the viewer asked for it. */
  announce(text) {
    this.#region.textContent = text;
    this.#announcedAt = Date.now();
  }

  /** Schedule an announcement. `text` is called when it is due, so that it describes that moment. */
  schedule(text) {
    if (this.#timer) return;
    const wait = Math.max(ANNOUNCE_AFTER, this.#announcedAt + ANNOUNCE_EVERY - Date.now());
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      if (Date.now() < this.#announcedAt + ANNOUNCE_EVERY) {
        this.schedule(text); // the viewer asked for something in between
        return;
      }
      const due = text();
      if (due) this.announce(due);
    }, wait);
  }

  cancel() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }
}
