/**
 * The board as the page knows it. Pure functions: no DOM, no clock, no network.
 *
 * @typedef {number | bigint} Score
 * @typedef {{rank: number, player: string, name: string, avatar: string | null, score: Score}} Entry
 * @typedef {{
 *   app: string, board: string, region: string | null, season: string | null,
 *   epoch: string, offset: number, total: number | null, receivedAt: number,
 *   entries: Entry[], arrival: Map<string, number>
 * }} Board
 * @typedef {{kind: "same" | "up" | "down" | "new", places: number}} Movement
 */

/**
 * A score off the wire. Wide boards send decimal strings, which would lose
 * digits as a Number, so whole ones become BigInt.
 *
 * @param {number | string} wire
 * @returns {Score}
 */
export function parseScore(wire) {
  if (typeof wire === "string" && /^[+-]?\d+$/.test(wire)) return BigInt(wire.replace("+", ""));
  return Number(wire);
}

/** Exact for two BigInts or two Numbers; a mixture is taken to BigInt when both are whole. */
function difference(after, before) {
  if (typeof after === typeof before) return after - before;
  const whole = [after, before].every((s) => typeof s === "bigint" || Number.isInteger(s));
  return whole ? BigInt(after) - BigInt(before) : Number(after) - Number(before);
}

/**
 * Where to resume from.
 *
 * @param {Board | null} board
 * @returns {{epoch: string, offset: number} | null}
 */
export function positionOf(board) {
  return board && { epoch: board.epoch, offset: board.offset };
}

/**
 * The board after a `top` message. An offset not newer than ours in the same
 * epoch changes nothing (the same object comes back); another epoch, or
 * another season, replaces everything, the arrival ranks included.
 *
 * @param {Board | null} board what we have
 * @param {object} message a `top` message
 * @param {number} receivedAt milliseconds since 1970
 * @returns {Board}
 */
export function applyTop(board, message, receivedAt) {
  const sameEpoch = board !== null && board.epoch === message.epoch;
  if (sameEpoch && message.offset <= board.offset) return board;
  const entries = message.entries.map((entry) => ({
    rank: entry.rank,
    player: entry.player,
    name: entry.username || entry.player,
    avatar: entry.avatar_url ?? null,
    score: parseScore(entry.score),
  }));
  const season = message.season ?? null;
  const keep = sameEpoch && board.season === season;
  return {
    app: message.app,
    board: message.board,
    region: message.region ?? null,
    season,
    epoch: message.epoch,
    offset: message.offset,
    total: message.total ?? null,
    receivedAt,
    entries,
    arrival: keep ? board.arrival : new Map(entries.map((entry) => [entry.player, entry.rank])),
  };
}

/**
 * How far a player has come since the viewer arrived.
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
 * Score differences between two states of one epoch, by player. A new epoch
 * has none: those are other facts, not changes.
 *
 * @param {Board | null} before
 * @param {Board} after
 * @returns {Map<string, Score>}
 */
export function scoreChanges(before, after) {
  const changes = new Map();
  if (!before || before.epoch !== after.epoch) return changes;
  const old = new Map(before.entries.map((entry) => [entry.player, entry.score]));
  for (const { player, score } of after.entries) {
    if (!old.has(player)) continue;
    const change = difference(score, old.get(player));
    if (change != 0) changes.set(player, change); // eslint-disable-line eqeqeq -- 0n or 0
  }
  return changes;
}

/**
 * Each entry's score as a share (0..1) of the leader's, for the bar under a
 * row. Works both ways round (on a board where low wins, the leader's bar is
 * still the longest); zeros where a share means nothing.
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
 * One calm sentence or two for a screen reader.
 *
 * @param {Board | null} before what was last spoken of
 * @param {Board} now
 * @param {(score: Score) => string} format
 * @returns {string} "" where there is nothing to say
 */
export function summarise(before, now, format) {
  const [leader, ...rest] = now.entries;
  if (!leader) return before ? "" : "No scores yet.";
  const parts = [`${leader.name} leads with ${format(leader.score)}`];
  if (rest.length) parts.push(rest.slice(0, 2).map((e) => `${e.name} is at ${e.rank}`).join(", "));
  if (!before || before.epoch !== now.epoch) return `${parts.join("; ")}.`;
  const old = new Map(before.entries.map((entry) => [entry.player, entry.rank]));
  const moved = now.entries.filter((entry) => old.get(entry.player) !== entry.rank).length;
  if (moved === 0) return "";
  return `${moved} ${moved === 1 ? "change" : "changes"} of place. ${parts.join("; ")}.`;
}

/**
 * An avatar address that may be loaded: https, or our own origin.
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
 * One or two letters to stand for a name without a picture.
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
 * A steady hue (0..359) for a player.
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
 * An identifier as a heading: "weekly-speed_run" -> "Weekly speed run".
 *
 * @param {string} id
 * @returns {string}
 */
export function titleOf(id) {
  const words = id.replace(/[-_.]+/g, " ").trim() || id;
  return words.charAt(0).toLocaleUpperCase() + words.slice(1);
}
