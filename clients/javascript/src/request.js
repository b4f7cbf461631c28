/**
 * Requests with exact scores, safe retries and structured errors. Tests inject the clock and the random source.
 */

/** Upper limits of the first and of the longest wait in milliseconds; the limit doubles in between. */
export const WAIT_BASE = 1_000;
export const WAIT_CAP = 30_000;

/** Statuses after which the same request may succeed later. */
const RETRYABLE = new Set([429, 503]);
/** Fields that hold scores. Their values are strings on boards whose totals may exceed the safe integers. */
const SCORES = new Set(["score", "previous_score", "gap_to_next"]);

export const wallClock = {
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (id) => clearTimeout(id),
  now: () => Date.now(),
};

/**
 * Return an exponential backoff with full jitter.
 *
 * @param {number} attempt 0 for the first wait
 * @param {() => number} random 0 <= x < 1
 * @returns {number} milliseconds
 */
export function backoff(attempt, random = Math.random) {
  return Math.floor(random() * Math.min(WAIT_CAP, WAIT_BASE * 2 ** attempt));
}

/** Parse JSON. Scores sent as strings become BigInt, as they would lose digits as a Number. */
export function parse(text) {
  return JSON.parse(text, (name, value) => (SCORES.has(name) && typeof value === "string" ? BigInt(value) : value));
}

/** Convert a score for JSON. Throws TypeError unless it is an exact whole number. */
export function exact(score) {
  if (typeof score === "bigint") return score.toString();
  if (Number.isSafeInteger(score)) return score;
  throw new TypeError(`${score} is not a whole number that JavaScript represents exactly; use a BigInt beyond 2^53 - 1`);
}

/** A failed request. `code` is stable, `detail` is for people; `status` is null without a response. */
export class ScoreboardError extends Error {
  name = "ScoreboardError";

  constructor({ status, code, detail, retryAfter = null, cause }) {
    super(`${detail} (${code})`, { cause });
    this.status = status;
    this.code = code;
    this.detail = detail;
    /** Milliseconds that the server asks the client to wait, or null. */
    this.retryAfter = retryAfter;
    /** The idempotency key of the failed update. A retry with this key counts once. */
    this.idempotencyKey = null;
  }

  /** True if the same request may succeed later. */
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
   * Send a request and return the JSON of the response. Network failures, timeouts, 429 and 503 are retried, after the
   * server's Retry-After at the earliest and within `retryFor`. Then the last error is thrown.
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
    return response.ok ? parseResponse(response, text) : throwError(response, text);
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

function parseResponse(response, text) {
  try {
    return parse(text);
  } catch (cause) {
    throw new ScoreboardError({ status: response.status, code: "not_json", detail: "the response is not JSON; is this a Scoreboard server?", cause });
  }
}

/** Throw the error of a response: a problem document (RFC 9457), or the response of a proxy. */
function throwError(response, text) {
  const { status } = response;
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // a response of a proxy: only the status is usable
  }
  throw new ScoreboardError({
    status,
    code: String(problem?.code ?? `http_${status}`),
    detail: String(problem?.detail ?? (response.statusText || "the server refused the request")),
    retryAfter: retryAfterOf(response.headers.get("Retry-After")),
  });
}

/** Convert a Retry-After header, seconds or a date (RFC 9110, 10.2.3), to milliseconds. */
function retryAfterOf(text) {
  if (text === null) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

const timedOut = (ms, cause) =>
  new ScoreboardError({ status: null, code: "timeout", detail: `no response within ${ms} ms`, cause });

const unreachable = (url, cause) =>
  new ScoreboardError({ status: null, code: "unreachable", detail: `${url.origin} is unreachable`, cause });

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
