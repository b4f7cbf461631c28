/** A score as it is read: a number, or a BigInt on a board whose totals may leave the safe integers. */
export type Score = number | bigint;

export interface ScoreboardOptions {
  /** A token, or where to get one when it is needed. Public boards are read without. */
  token?: string | (() => string | Promise<string>);
  /** Milliseconds that one try may take (10,000). */
  timeout?: number;
  /** Milliseconds after which no further try is made (30,000); 0 tries once. */
  retryFor?: number;
  fetch?: typeof fetch;
  /** Where the engine has none of its own, as Node 20. */
  WebSocket?: typeof WebSocket;
}

export interface Call {
  signal?: AbortSignal;
}

/** Which table of a board: the current season and the world, unless named. */
export interface Table {
  season?: string;
  region?: string;
}

export interface UpdateOptions extends Call {
  region?: string;
  /** Any JSON of at most 2,048 bytes, kept with the update. */
  metadata?: unknown;
  /** The same key, the same update: however often it is sent, it counts once. Made up when you give none. */
  idempotencyKey?: string;
}

export interface BatchUpdate {
  player: string;
  /** Exactly one of the three. */
  action?: string;
  increment?: Score;
  score?: Score;
  region?: string;
  metadata?: unknown;
  idempotencyKey?: string;
}

export interface Entry {
  rank: number;
  player: string;
  username: string;
  avatar_url: string | null;
  score: Score;
  reached_at: string;
}

export interface Position {
  epoch: string;
  offset: number;
}

export type RankState = "exact" | "warming" | "unavailable" | "out_of_range";

export interface Page extends Position {
  app: string;
  board: string;
  season: string;
  region: string | null;
  total: number;
  rank_state: RankState;
  entries: Entry[];
  next_cursor: string | null;
}

export interface Standing {
  player: string;
  season: string;
  region: string | null;
  score: Score;
  /** Null while the ranking cannot say; `rank_state` tells why. */
  rank: number | null;
  rank_state: RankState;
  total: number | null;
  ties: number | null;
  percentile: number | null;
  gap_to_next: Score | null;
  reached_at: string;
}

export interface Applied {
  event: string;
  status: "applied";
  player: string;
  board: string;
  season: string;
  score: Score;
  previous_score: Score | null;
  changed: boolean;
  rank: number | null;
  previous_rank: number | null;
  rank_state: RankState;
  accepted_at: string;
}

/** Durable, with exactly one outcome to come: `scoreboard.event(app, event)`. */
export interface Accepted {
  event: string;
  status: "accepted";
  outcome: string;
}

export interface BatchApplied {
  status: "applied";
  player: string;
  event: string;
  score: Score;
  previous_score: Score | null;
  changed: boolean;
  replayed: boolean;
}

/** In the server's queue, with exactly one outcome to come. */
export interface BatchAccepted {
  status: "accepted";
  player: string;
  event: string;
  replayed: boolean;
}

export interface BatchRefused {
  status: "refused";
  player: string | null;
  code: string;
  detail: string;
}

export interface BatchAnswer {
  applied: number;
  refused: number;
  accepted: number;
  results: (BatchApplied | BatchAccepted | BatchRefused)[];
}

export interface Outcome {
  event: string;
  status: "pending" | "applied" | "refused";
  board: string | null;
  player: string | null;
  season: string | null;
  accepted_at: string;
  score: Score | null;
  previous_score: Score | null;
  code: string | null;
  detail: string | null;
}

export interface Found {
  entries: Entry[];
  not_found: string[];
}

export interface PublicBoard {
  app: string;
  app_name: string;
  board: string;
  name: string;
  operator: "increment" | "best" | "latest";
  direction: "descending" | "ascending";
  period: "all_time" | "daily" | "weekly" | "monthly";
  regions: string[];
  top_n: number;
}

export interface PublicBoards {
  /** The board asked for, or else the first; null when there is none or it is not public. */
  shown: PublicBoard | null;
  /** Of the board shown, the current one first, then the newest of those that hold standings. */
  seasons: string[];
  boards: PublicBoard[];
}

export interface Change {
  player: string;
  rank: number | null;
  previous_rank: number | null;
  score: Score;
}

/** The whole top N at one position. */
export interface Top extends Position {
  type: "top";
  app: string;
  board: string;
  season: string;
  region: string | null;
  total: number;
  at: string;
  entries: Entry[];
  /** Only when you had the position before. */
  changes?: Change[];
}

/** Only `live` means that you have what the server has. */
export type LiveState =
  | { name: "idle" | "connecting" | "live" | "silent" }
  | { name: "waiting"; until: number; attempt: number; reason: string }
  | { name: "refused"; code: string; detail: string }
  | { name: "stopped"; code: number; reason: string };

export interface LiveOptions extends Table {
  /** Where you left off; what you have already is not sent again. */
  position?: Position | null;
  onTop(top: Top): void;
  onState?(state: LiveState): void;
}

export interface Live {
  readonly state: LiveState;
  readonly position: Position | null;
  close(): void;
  /** Try now rather than when the wait is over. */
  retry(): void;
  /** The network may have changed: stop waiting, or make an open connection prove itself. */
  wake(): void;
}

/** `code` is stable, `detail` is for people. `status` is null where no answer came: code `timeout` or `unreachable`. */
export declare class ScoreboardError extends Error {
  private constructor();
  readonly status: number | null;
  readonly code: string;
  readonly detail: string;
  /** Milliseconds that the server asks to wait. */
  readonly retryAfter: number | null;
  /** Of the update that failed: send it again under this key and it still counts once. */
  readonly idempotencyKey: string | null;
  get retryable(): boolean;
}

export declare class Scoreboard {
  constructor(url: string | URL, options?: ScoreboardOptions);
  board(app: string, board: string): Board;
  publicBoards(options?: { app?: string; board?: string; limit?: number } & Call): Promise<PublicBoards>;
  event(app: string, event: string, options?: Call): Promise<Outcome>;
}

/** Made by `scoreboard.board()`. A `player` of null is the one that the token speaks for. */
export declare class Board {
  private constructor();
  readonly app: string;
  readonly board: string;
  increment(player: string | null, points: Score, options?: UpdateOptions): Promise<Applied | Accepted>;
  score(player: string | null, score: Score, options?: UpdateOptions): Promise<Applied | Accepted>;
  action(player: string | null, action: string, options?: UpdateOptions): Promise<Applied | Accepted>;
  batch(updates: BatchUpdate[], options?: { idempotencyKey?: string } & Call): Promise<BatchAnswer>;
  top(options?: { limit?: number; cursor?: string } & Table & Call): Promise<Page>;
  entries(options?: { pageSize?: number } & Table & Call): AsyncIterableIterator<Entry>;
  standing(player: string, options?: Table & Call): Promise<Standing>;
  around(player: string, options?: { radius?: number } & Table & Call): Promise<Page>;
  query(players: string[], options?: Table & Call): Promise<Found>;
  live(options: LiveOptions): Live;
}
