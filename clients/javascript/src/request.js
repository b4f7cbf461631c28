/**
 * One request: exact scores in and out, retries that count once, errors that say what to do.
 * The clock and chance are handed in by tests.
 */

/** The first wait is drawn from 0..WAIT_BASE and the range doubles up to WAIT_CAP (milliseconds). */
export const WAIT_BASE = 1_000;
export const WAIT_CAP = 30_000;

/** Statuses after which the same request may do later. */
const RETRYABLE = new Set([429, 503]);
/** The fields that hold scores, whatever the answer: text where they may leave the safe integers. */
const SCORES = new Set(["score", "previous_score", "gap_to_next"]);

export const wallClock = {
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (id) => clearTimeout(id),
  now: () => Date.now(),
};

/**
 * Exponential back-off with full jitter.
 *
 * @param {number} attempt 0 for the first wait
 * @param {() => number} random 0 <= x < 1
 * @returns {number} milliseconds
 */
export function backoff(attempt, random = Math.random) {
  return Math.floor(random() * Math.min(WAIT_CAP, WAIT_BASE * 2 ** attempt));
}

/** JSON off the wire. Scores sent as text would lose digits as a Number: they become BigInt. */
export function parse(text) {
  return JSON.parse(text, (name, value) => (SCORES.has(name) && typeof value === "string" ? BigInt(value) : value));
}

/** A score for the wire. Throws TypeError for what is not a whole number, held exactly. */
export function exact(score) {
  if (typeof score === "bigint") return score.toString();
  if (Number.isSafeInteger(score)) return score;
  throw new TypeError(`${score} is not a whole number that JavaScript holds exactly; give a BigInt beyond 2^53 - 1`);
}

/** What went wrong. `code` is stable, `detail` is for people; `status` is null where no answer came. */
export class ScoreboardError extends Error {
  name = "ScoreboardError";

  constructor({ status, code, detail, retryAfter = null, cause }) {
    super(`${detail} (${code})`, { cause });
    this.status = status;
    this.code = code;
    this.detail = detail;
    /** Milliseconds that the server asks to wait, null where it does not say. */
    this.retryAfter = retryAfter;
    /** The key of the update that failed: sent again under it, it still counts once. */
    this.idempotencyKey = null;
  }

  /** Whether the same request may do later. */
  get retryable() {
    return this.status === null || RETRYABLE.has(this.status);
  }
}

export class Requests {
  #options;

  /** @param {object} options url, token, timeout, retryFor (milliseconds), fetch, clock, random */
  constructor(options) {
    this.#options = options;
  }

  /**
   * The answer's JSON. Network failures, timeouts, 429 and 503 are tried again, not before the server's Retry-After
   * and never beyond `retryFor`; then the last error is thrown.
   */
  async send(method, path, { query = {}, body, key, signal } = {}) {
    const { clock, random, retryFor } = this.#options;
    const url = addressOf(this.#options.url, path, query);
    const giveUpAt = clock.now() + retryFor;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#once(method, url, body, key, signal);
      } catch (error) {
        if (!(error instanceof ScoreboardError)) throw error;
        error.idempotencyKey = key ?? null;
        const wait = Math.max(error.retryAfter ?? 0, backoff(attempt, random));
        if (!error.retryable || clock.now() + wait >= giveUpAt) throw error;
        await pause(clock, wait, signal);
      }
    }
  }

  async #once(method, url, body, key, signal) {
    const { fetch, timeout } = this.#options;
    const headers = await this.#headers(body, key);
    const within = AbortSignal.any([AbortSignal.timeout(timeout), ...(signal ? [signal] : [])]);
    let response, text;
    try {
      response = await fetch(url, { method, headers, body, signal: within });
      text = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      throw within.aborted ? timedOut(timeout, cause) : unreachable(url, cause);
    }
    return response.ok ? answerOf(response, text) : refuse(response, text);
  }

  async #headers(body, key) {
    const { token } = this.#options;
    const given = typeof token === "function" ? await token() : token;
    return {
      ...(given && { Authorization: `Bearer ${given}` }),
      ...(body !== undefined && { "Content-Type": "application/json" }),
      ...(key !== undefined && { "Idempotency-Key": key }),
    };
  }
}

function addressOf(base, path, query) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(query)) if (value != null) url.searchParams.set(name, value);
  return url;
}

function answerOf(response, text) {
  try {
    return parse(text);
  } catch (cause) {
    throw new ScoreboardError({ status: response.status, code: "not_json", detail: "the answer is not JSON; is this a Scoreboard server?", cause });
  }
}

/** A problem document (RFC 9457), or what a proxy in between said. */
function refuse(response, text) {
  const { status } = response;
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // not the server's own words: the status must do
  }
  throw new ScoreboardError({
    status,
    code: String(problem?.code ?? `http_${status}`),
    detail: String(problem?.detail ?? (response.statusText || "the server refused the request")),
    retryAfter: retryAfterOf(response.headers.get("Retry-After")),
  });
}

/** Retry-After in milliseconds: seconds, or a date (RFC 9110, 10.2.3). */
function retryAfterOf(text) {
  if (text === null) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

const timedOut = (ms, cause) =>
  new ScoreboardError({ status: null, code: "timeout", detail: `no answer within ${ms} ms`, cause });

const unreachable = (url, cause) =>
  new ScoreboardError({ status: null, code: "unreachable", detail: `${url.origin} was not reached`, cause });

function pause(clock, ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clock.clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
