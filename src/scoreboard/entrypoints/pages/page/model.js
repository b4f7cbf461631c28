/**
 * The state of the board in pure functions, without DOM, clock or network.
 *
 * @typedef {number | bigint} Score
 * @typedef {{rank: number, player: string, name: string, avatar: string | null, score: Score}} Entry
 * @typedef {{
 *   app: string, board: string, region: string | null, season: string,
 *   epoch: string, total: number, receivedAt: number,
 *   entries: Entry[], arrival: Map<string, number>
 * }} Board
 * @typedef {{kind: "same" | "up" | "down" | "new", places: number}} Movement
 */

/** Convert an entry of a response or a live message. */
export function entryOf({ rank, player, username, avatar_url, score }) {
  return { rank, player, name: username || player, avatar: avatar_url ?? null, score };
}

/** Return the exact difference. A board whose scores outgrow Number has one operand of each type. */
function difference(after, before) {
  return typeof after === typeof before ? after - before : BigInt(after) - BigInt(before);
}

/**
 * Return the board after a `top` message. A new epoch or season replaces everything, including the arrival ranks.
 *
 * @param {Board | null} board the current one
 * @param {object} message a `top` message newer than it
 * @param {number} receivedAt milliseconds since 1970
 * @param {number} limit how many places are shown
 * @returns {Board}
 */
export function applyTop(board, message, receivedAt, limit = Infinity) {
  const { app, board: name, region, season, epoch, total } = message;
  const entries = message.entries.slice(0, limit).map(entryOf);
  const keep = board !== null && board.epoch === epoch && board.season === season;
  const arrival = keep ? board.arrival : new Map(entries.map((entry) => [entry.player, entry.rank]));
  return { app, board: name, region, season, epoch, total, receivedAt, entries, arrival };
}

/**
 * Return how far a player has moved since the viewer arrived.
 *
 * @param {Board} board
 * @param {Entry} entry
 * @returns {Movement}
 */
export function movement(board, entry) {
  const then = board.arrival.get(entry.player);
  if (then === undefined) return { kind: "new", places: 0 };
  if (then === entry.rank) return { kind: "same", places: 0 };
  return { kind: entry.rank < then ? "up" : "down", places: Math.abs(then - entry.rank) };
}

/**
 * Return the score changes between two states, by player. States of different epochs or seasons have no changes, as
 * they are not comparable.
 *
 * @param {Board | null} before
 * @param {Board} after
 * @returns {Map<string, Score>}
 */
export function scoreChanges(before, after) {
  const changes = new Map();
  if (!before || before.epoch !== after.epoch || before.season !== after.season) return changes;
  const old = new Map(before.entries.map((entry) => [entry.player, entry.score]));
  for (const { player, score } of after.entries) {
    if (!old.has(player)) continue;
    const change = difference(score, old.get(player));
    if (change != 0) changes.set(player, change); // 0 or 0n
  }
  return changes;
}

/**
 * Return each score as a share (0 to 1) of the leader's, for the bar under a row. The leader's bar is the longest, even
 * if the lowest score leads. All shares are 0 if a score is negative.
 *
 * @param {Entry[]} entries
 * @returns {number[]}
 */
export function shares(entries) {
  const scores = entries.map((entry) => Number(entry.score));
  const [best] = scores;
  if (scores.some((score) => !(score >= 0))) return scores.map(() => 0);
  const lowWins = scores[scores.length - 1] > best;
  return scores.map((score) => {
    const [part, whole] = lowWins ? [best, score] : [score, best];
    return whole > 0 ? Math.min(1, part / whole) : 0;
  });
}

/**
 * Return the avatar address if it may be loaded, else null. Allowed are https and the origin of the service.
 *
 * @param {string | null} url
 * @param {string} base the service's address
 * @returns {string | null}
 */
export function safeAvatar(url, base) {
  if (!url) return null;
  try {
    const parsed = new URL(url, base);
    const allowed = parsed.protocol === "https:" || parsed.origin === new URL(base).origin;
    return allowed && parsed.protocol.startsWith("http") ? parsed.href : null;
  } catch {
    return null;
  }
}

/**
 * Return one or two letters for a player without a picture.
 *
 * @param {string} name
 * @returns {string}
 */
export function initials(name) {
  const words = name.split(/[\s._-]+/u).map((word) => word.replace(/[^\p{L}\p{N}\p{Emoji_Presentation}]/gu, "")).filter(Boolean);
  const picked = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return picked.map((word) => [...word][0].toLocaleUpperCase()).join("") || "?";
}

/**
 * Return a stable hue (0 to 359) for a player.
 *
 * @param {string} player
 * @returns {number}
 */
export function hue(player) {
  let hash = 0;
  for (const char of player) hash = Math.imul(hash ^ char.codePointAt(0), 0x9e3779b1) >>> 0;
  return (hash >>> 8) % 360;
}

/**
 * Return an identifier as a heading: "weekly-speed_run" -> "Weekly speed run".
 *
 * @param {string} id
 * @returns {string}
 */
export function titleOf(id) {
  const words = id.replace(/[-_.]+/g, " ").trim() || id;
  return words.charAt(0).toLocaleUpperCase() + words.slice(1);
}

/**
 * Return the name of a board, or its id as a heading.
 *
 * @param {{board: string, name?: string}} board
 * @returns {string}
 */
export function nameOf({ board, name }) {
  return name && name !== board ? name : titleOf(board);
}
