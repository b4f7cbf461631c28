/** A score: a number, or a BigInt on a board whose totals may exceed the safe integers. */
export type Score = number | bigint;

export interface ScoreboardOptions {
  /** A token, or a function that returns one. Reads of public boards need none. */
  token?: string | (() => string | Promise<string>);
  /** Milliseconds that one attempt may take (default: 10,000). */
  timeout?: number;
  /** Milliseconds after which no further attempt is made. The default is 30,000; 0 means one attempt. */
  retryFor?: number;
  fetch?: typeof fetch;
  /** An implementation for engines without WebSocket, such as Node 20. */
  WebSocket?: typeof WebSocket;
}

export interface RequestOptions {
  signal?: AbortSignal;
}

/** A table of a board; by default the world in the current season. */
export interface Table {
  season?: string;
  region?: string;
}

export interface UpdateOptions extends RequestOptions {
  region?: string;
  /** Any JSON of at most 2,048 bytes, stored with the update. */
  metadata?: unknown;
  /** An update counts once per key, however often it is sent. Random by default. */
  idempotencyKey?: string;
}

export interface BatchUpdate {
  player: string;
  /** Exactly one of `action`, `increment` and `score`. */
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
  /** Null while the rank is unknown; `rank_state` has the reason. */
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

/** A durable update with exactly one future outcome: `scoreboard.event(app, event)`. */
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

/** An update in the server's queue, with exactly one future outcome. */
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

export interface BatchResult {
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

export interface QueryResult {
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
  /** The requested board, or the first one; null if it does not exist or is private. */
  shown: PublicBoard | null;
  /** Seasons of the board shown: the current one, then the newest ones with standings. */
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
  /** Present if the client had the previous position. */
  changes?: Change[];
}

/** Only in the state `live` is the top the current one. */
export type LiveState =
  | { name: "idle" | "connecting" | "live" | "silent" }
  | { name: "waiting"; until: number; attempt: number; reason: string }
  | { name: "refused"; code: string; detail: string }
  | { name: "stopped"; code: number; reason: string };

export interface LiveOptions extends Table {
  /** The last position received; that top is not sent again. */
  position?: Position | null;
  onTop(top: Top): void;
  onState?(state: LiveState): void;
}

export interface Live {
  readonly state: LiveState;
  readonly position: Position | null;
  close(): void;
  /** Try now instead of waiting. */
  retry(): void;
  /** Handle a possible network change: stop waiting, or ping an open connection. */
  wake(): void;
}

/** `code` is stable, `detail` is for people. Without a response `status` is null, `code` is `timeout` or `unreachable`. */
export declare class ScoreboardError extends Error {
  private constructor();
  readonly status: number | null;
  readonly code: string;
  readonly detail: string;
  /** Milliseconds that the server asks the client to wait. */
  readonly retryAfter: number | null;
  /** The key of the failed update. A retry with this key counts once. */
  readonly idempotencyKey: string | null;
  get retryable(): boolean;
}

export declare class Scoreboard {
  constructor(url: string | URL, options?: ScoreboardOptions);
  board(app: string, board: string): Board;
  publicBoards(options?: { app?: string; board?: string; limit?: number } & RequestOptions): Promise<PublicBoards>;
  event(app: string, event: string, options?: RequestOptions): Promise<Outcome>;
}

/** Returned by `scoreboard.board()`. `player` may be null with a player's token. */
export declare class Board {
  private constructor();
  readonly app: string;
  readonly board: string;
  increment(player: string | null, points: Score, options?: UpdateOptions): Promise<Applied | Accepted>;
  score(player: string | null, score: Score, options?: UpdateOptions): Promise<Applied | Accepted>;
  action(player: string | null, action: string, options?: UpdateOptions): Promise<Applied | Accepted>;
  batch(updates: BatchUpdate[], options?: { idempotencyKey?: string } & RequestOptions): Promise<BatchResult>;
  top(options?: { limit?: number; cursor?: string } & Table & RequestOptions): Promise<Page>;
  entries(options?: { pageSize?: number } & Table & RequestOptions): AsyncIterableIterator<Entry>;
  standing(player: string, options?: Table & RequestOptions): Promise<Standing>;
  around(player: string, options?: { radius?: number } & Table & RequestOptions): Promise<Page>;
  query(players: string[], options?: Table & RequestOptions): Promise<QueryResult>;
  live(options: LiveOptions): Live;
}
