"""The path of an update up to its route: authorize, replay, resolve, check.

The direct route continues in `commit.py`, and the queued one in `queue_publisher.py`. A single update and a batch take
the same path. A request is refused with a ScoreboardError, and then nothing has changed. A refusal inside the
transaction is an outcome.
"""

import hashlib
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias, TypeVar

from scoreboard.application.identity.authorization import authorize, authorize_player, authorize_value
from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger, Receipt
from scoreboard.application.ports.ranking import RankChange, RankState
from scoreboard.application.ports.rate_limiter import RateLimitStatus
from scoreboard.application.standings.reads import Reads
from scoreboard.application.updates.checks import CHECKS, Check, CheckFactory, Draft
from scoreboard.application.updates.checks.rate_limit import UpdateRateLimit
from scoreboard.application.updates.commit import GroupCommit, RankedOutcome
from scoreboard.application.updates.idempotency import digest_of, find_receipts, match_receipt
from scoreboard.application.updates.queue_publisher import QueuePublisher
from scoreboard.application.updates.regions import resolve_regions
from scoreboard.application.updates.requests import UpdateRequest
from scoreboard.application.updates.rules import RULES, RuleFactory, rules_of
from scoreboard.domain import codes, event_id
from scoreboard.domain.board import Action, Board
from scoreboard.domain.errors import NotFound, ScoreboardError, Unavailable
from scoreboard.domain.identifiers import check_idempotency_key, check_player
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import WORLD, Outcome, Rule, Submission, TableKey

MAX_METADATA_BYTES = 2_048
MAX_BATCH = 1_000
MAX_PREFIX = 240  # characters of a batch's key, which leaves room for the index of an update
MAX_COMPILED = 10_000  # cached checks or rules of boards and actions, a few hundred bytes each

K = TypeVar("K")
V = TypeVar("V")


class UpdateResult(NamedTuple):
    """The outcome of one update, and the rank after it in the world table.

    `rank` is None unless `rank_state` is `exact`. With `deferred`, the client reads the outcome at its event later.
    `rate` is None if the update did not count for the rate limit.
    """

    board: Board
    outcome: Outcome
    rank: RankChange | None
    rank_state: RankState
    deferred: bool
    rate: RateLimitStatus | None


ItemResult: TypeAlias = RankedOutcome | ScoreboardError


class BatchSender(NamedTuple):
    """A principal that may send batches to an app."""

    principal: Principal
    app: str


class BatchResult(NamedTuple):
    """An outcome or a refusal for each request, in order.

    With `deferred`, the client reads the outcomes at their events later.
    """

    board: Board
    items: Sequence[ItemResult]
    deferred: bool
    rate: RateLimitStatus | None


@dataclass(frozen=True, slots=True)
class QueueRoute:
    """The route through the queue. `event_key` signs the ids of queued events.

    While the queue is unreachable, updates are committed directly (`fallback`), or refused.
    """

    publisher: QueuePublisher
    event_key: bytes
    fallback: bool


class Submit:
    """The use case of clients that send updates."""

    def __init__(
        self,
        directory: Directory,
        ledger: Ledger,
        rate_limit: UpdateRateLimit,
        commit: GroupCommit,
        reads: Reads,
        queue: QueueRoute | None = None,
        checks: Sequence[CheckFactory] = CHECKS,
        rules: Sequence[RuleFactory] = RULES,
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self.rate_limit = rate_limit
        self._commit = commit
        self._reads = reads
        self._queue = queue
        self._checks = checks
        self._rules = rules
        self._compiled_checks: dict[int, tuple[Board, tuple[Check, ...]]] = {}
        self._compiled_rules: dict[tuple[int, int], tuple[Board, Action | None, tuple[Rule, ...]]] = {}

    async def one(
        self,
        principal: Principal | None,
        app: str,
        board_id: str,
        request: UpdateRequest,
        *,
        prefer_async: bool | None = None,
    ) -> UpdateResult:
        """Return the outcome of one update, and its rank, once it is durable.

        `prefer_async` selects the queued or the direct route; with None, the board decides. Raises ScoreboardError when
        nothing changed, and Unavailable when it may be unknown whether anything did.
        """
        principal = authorize(principal, "update_score", app)
        board, (item,), deferred, rate = await self._submit(
            principal, app, board_id, (request,), prefer_async, ranks=True
        )
        if isinstance(item, ScoreboardError):
            raise item
        outcome, rank, rank_state = item
        if outcome.replayed:
            table = TableKey(board.pk, outcome.season, WORLD)
            rank, rank_state = await self._reads.get_rank(board, table, outcome.player)
        return UpdateResult(board, outcome, rank, rank_state, deferred, rate)

    def batch_sender(self, principal: Principal | None, app: str) -> BatchSender:
        """Authorize a batch before it is read. Raises Unauthenticated or Forbidden."""
        return BatchSender(authorize(principal, "update_scores", app), app)

    async def many(
        self, sender: BatchSender, board_id: str, requests: Sequence[UpdateRequest], key: str | None = None
    ) -> BatchResult:
        """Return an outcome or a refusal for each of up to MAX_BATCH updates.

        The updates are applied in order and in one transaction, without ranks. `key` is the idempotency key of the
        batch: a request without a key gets this key with its index. Raises ScoreboardError, as `one` does, when the
        batch is refused or fails as a whole.
        """
        if not 1 <= len(requests) <= MAX_BATCH:
            raise codes.INVALID_BATCH.error(f"a batch must have from 1 to {MAX_BATCH:,} updates")
        if key is not None:
            prefix = check_idempotency_key(key)
            if len(prefix) > MAX_PREFIX:
                prefix = hashlib.sha256(prefix.encode()).hexdigest()
            for index, request in enumerate(requests):
                if request.key is None:
                    request.key = f"{prefix}/{index}"
        return await self._submit(sender.principal, sender.app, board_id, requests, None, ranks=False)

    async def _submit(
        self,
        principal: Principal,
        app: str,
        board_id: str,
        requests: Sequence[UpdateRequest],
        prefer_async: bool | None,
        *,
        ranks: bool,
    ) -> BatchResult:
        """Replay the requests that have receipts, and process the others."""
        board = await self._directory.board(app, board_id)
        deferred = board.consistency == "queued" if prefer_async is None else prefer_async
        queue = self._queue if deferred else None
        # A transaction finds the receipts itself. The response to a queued update precedes its transaction, so the
        # keys of queued updates are looked up here.
        receipts: Mapping[str, Receipt] = {}
        new = requests
        if queue is not None:
            receipts = await self._find_receipts(principal, board, requests)
            new = [request for request in requests if request.key not in receipts]
        items: Sequence[ItemResult] = ()
        rate: RateLimitStatus | None = None
        try:
            if new:
                rate = await self.rate_limit.acquire(principal, app, len(new))
                items, refused = await self._process(principal, board, new, queue, ranks=ranks)
                if refused and queue is None:
                    receipts = await self._find_receipts(principal, board, requests)
        except ScoreboardError as error:
            if queue is None:
                receipts = await self._find_receipts(principal, board, requests)
            if any(request.key not in receipts for request in new):
                raise
            items = [error] * len(new)
        if receipts:
            items = _replay(board, requests, receipts, items, looked_up_first=queue is not None)
        return BatchResult(board, items, deferred, rate)

    async def _process(
        self,
        principal: Principal,
        board: Board,
        requests: Sequence[UpdateRequest],
        queue: QueueRoute | None,
        *,
        ranks: bool,
    ) -> tuple[Sequence[ItemResult], bool]:
        """Resolve, check and route requests.

        Return a result for each request, and whether one was refused. Raises Unavailable when a store failed, which is
        no refusal.
        """
        submissions: dict[int, Submission] = {}
        refusals: dict[int, ScoreboardError] = {}
        for index, request in enumerate(requests):
            try:
                submissions[index] = await self._resolve(principal, board, request, queue)
            except Unavailable:
                raise
            except ScoreboardError as refusal:
                refusals[index] = refusal
        if board.regions and queue is None:
            await resolve_regions(self._directory, submissions.values())
        if self._checks:
            await self._check(principal, board, requests, submissions, refusals)
        results: Sequence[ItemResult] = ()
        if submissions and queue is None:
            results = await self._commit.submit(list(submissions.values()), ranks=ranks)
        elif submissions and queue is not None:
            results = await self._publish(list(submissions.values()), queue, ranks=ranks)
        if not refusals:
            return results, False
        outcomes = iter(results)
        return [refusals.get(index) or next(outcomes) for index in range(len(requests))], True

    async def _check(
        self,
        principal: Principal,
        board: Board,
        requests: Sequence[UpdateRequest],
        submissions: dict[int, Submission],
        refusals: dict[int, ScoreboardError],
    ) -> None:
        """Move the submissions that a check refuses from `submissions` to `refusals`."""
        checks = self._checks_of(board)
        for index, submission in list(submissions.items()):
            try:
                for check in checks:
                    await check.check(Draft(principal, requests[index], submission))
            except Unavailable:
                raise
            except ScoreboardError as refusal:
                refusals[index] = refusal
                del submissions[index]

    async def _publish(
        self, submissions: Sequence[Submission], queue: QueueRoute, *, ranks: bool
    ) -> Sequence[RankedOutcome]:
        """Publish submissions to the queue. During an outage, commit them if configured."""
        try:
            return [RankedOutcome(outcome) for outcome in await queue.publisher.submit(submissions)]
        except Unavailable as error:
            if not queue.fallback or error.code != codes.QUEUE_UNAVAILABLE.name:
                raise
            # The queue may have accepted them in spite of the error. Each event is applied only once.
            await resolve_regions(self._directory, submissions)
            return await self._commit.submit(submissions, ranks=ranks)

    async def _resolve(
        self, principal: Principal, board: Board, request: UpdateRequest, queue: QueueRoute | None
    ) -> Submission:
        """Convert a request to a submission. Raises ScoreboardError to refuse it."""
        player = check_player(principal.subject if request.player is None else request.player)
        authorize_player(principal, "update_score", player)
        action, value = await self._resolve_value(principal, board, request)
        if request.region is not None and request.region not in board.regions:
            raise codes.UNKNOWN_REGION.error("this board has no such region")
        if request.metadata is not None and len(request.metadata) > MAX_METADATA_BYTES:
            raise codes.METADATA_TOO_BIG.error(f"metadata may have at most {MAX_METADATA_BYTES:,} bytes of JSON")
        key = None if request.key is None else check_idempotency_key(request.key)
        accepted_at = self._commit.stamp()
        if queue is None:
            event = event_id.make(accepted_at, next(_randomness))
        else:
            event = event_id.make_signed(accepted_at, next(_randomness), queue.event_key, board.app.pk)
        return Submission(
            event,
            accepted_at,
            board,
            season_at(board.period, board.time_zone, accepted_at).name,
            player,
            value,
            principal.name,
            request.region if board.regions else WORLD,
            action,
            key,
            b"" if key is None else digest_of(board, request.raw),
            request.metadata,
            queue is not None,
            self._rules_of(board, action),
        )

    async def _resolve_value(
        self, principal: Principal, board: Board, request: UpdateRequest
    ) -> tuple[Action | None, int]:
        """Return the action of a request, and its value (for an action, its points)."""
        if (request.action is None) + (request.increment is None) + (request.score is None) != 2:
            raise codes.ONE_VALUE.error("send exactly one of action, increment and score")
        action: Action | None = None
        value = request.increment if board.operator == "increment" else request.score
        if request.action is not None:
            try:
                action = await self._directory.action(board.app.slug, request.action)
            except NotFound as error:
                raise codes.UNKNOWN_ACTION.error("this app has no such action") from error
            value = action.points
        else:
            authorize_value(principal, board)
        if value is None:
            field = "increment" if board.operator == "increment" else "score"
            raise codes.OPERATOR_MISMATCH.error(
                f"the operator of this board is {board.operator}; send the field {field}"
            )
        if not board.min_value <= value <= board.max_value:
            raise codes.VALUE_OUT_OF_BOUNDS.error(
                f"an update of this board must be from {board.min_value} to {board.max_value}"
            )
        return action, value

    def _checks_of(self, board: Board) -> tuple[Check, ...]:
        """Return the checks of a board, compiled again when the board has changed."""
        compiled = self._compiled_checks.get(board.pk)
        if compiled is None or compiled[0] is not board:
            checks = tuple(check for make in self._checks if (check := make(board)) is not None)
            compiled = _keep(self._compiled_checks, board.pk, (board, checks))
        return compiled[1]

    def _rules_of(self, board: Board, action: Action | None) -> tuple[Rule, ...]:
        """Return the rules of a board and an action, compiled again when one has changed."""
        action_pk = 0 if action is None else action.pk
        compiled = self._compiled_rules.get((board.pk, action_pk))
        if compiled is None or compiled[0] is not board or compiled[1] is not action:
            rules = rules_of(board, action, self._rules)
            compiled = _keep(self._compiled_rules, (board.pk, action_pk), (board, action, rules))
        return compiled[2]

    async def _find_receipts(
        self, principal: Principal, board: Board, requests: Sequence[UpdateRequest]
    ) -> Mapping[str, Receipt]:
        return await find_receipts(self._ledger, board.app, principal.name, [request.key for request in requests])


def _replay(
    board: Board,
    requests: Sequence[UpdateRequest],
    receipts: Mapping[str, Receipt],
    items: Sequence[ItemResult],
    *,
    looked_up_first: bool,
) -> list[ItemResult]:
    """Replace the items of requests that have a receipt by replays.

    `items` belong to all requests, or with `looked_up_first` to those without a receipt.
    """
    processed = iter(items)
    replayed: list[ItemResult] = []
    for request in requests:
        receipt = receipts.get(request.key or "")
        item = None if looked_up_first and receipt is not None else next(processed)
        if receipt is not None and not isinstance(item, RankedOutcome):
            try:
                outcome = match_receipt(receipt, digest_of(board, request.raw))
                item = RankedOutcome(replace(outcome, replayed=True))
            except ScoreboardError as conflict:
                item = conflict
        if item is not None:
            replayed.append(item)
    return replayed


def _keep(compiled: dict[K, V], key: K, value: V) -> V:
    if len(compiled) >= MAX_COMPILED:
        compiled.clear()
    compiled[key] = value
    return value


def _random_numbers() -> Iterator[int]:
    """Yield random numbers of 62 bits from the system's source, read in large blocks."""
    while True:
        for (number,) in struct.iter_unpack("=Q", os.urandom(8_192)):
            yield number >> 2


_randomness = _random_numbers()
