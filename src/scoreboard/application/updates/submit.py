"""The way of an update, top to bottom."""

import contextlib
import hashlib
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from scoreboard.application.identity.authorization import authorize, authorize_player
from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger, Receipt
from scoreboard.application.ports.limits import Allowance, Limits
from scoreboard.application.standings.reads import Reads
from scoreboard.application.updates import value as worth
from scoreboard.application.updates.checks import rate_limit
from scoreboard.application.updates.commit import Accept
from scoreboard.application.updates.idempotency import recall, same_body
from scoreboard.application.updates.queue_publisher import QueuePublisher
from scoreboard.application.updates.rank import Result
from scoreboard.domain import event_id
from scoreboard.domain.board import Action, Board
from scoreboard.domain.errors import Invalid, NotFound, ScoreboardError, Unavailable
from scoreboard.domain.identifiers import check_idempotency_key, check_player
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import WORLD, Outcome, Submission, TableKey

MAX_METADATA_BYTES = 2_048
MAX_BATCH = 1_000


@dataclass(slots=True)
class Wish:
    """What a client asks for. One of `action`, `increment` and `score`; `raw` is the body that the key stands for.
    `later`: whether to answer before it is applied, where there is a queue; None leaves it to the board."""

    raw: bytes
    player: str | None = None
    action: str | None = None
    increment: int | None = None
    score: int | None = None
    region: str | None = None
    metadata: bytes | None = None
    key: str | None = None
    later: bool | None = None


@dataclass(slots=True)
class Answer:
    """`later`: the outcome is to be told at its address; with a queue it is pending until then. `allowance` is None
    when nothing was taken from it, as for a repeated update."""

    board: Board
    result: Result
    later: bool
    allowance: Allowance | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Where there is a queue: `enqueue` puts updates into it; `key` seals the ids of their events. While it is away an
    update is applied at once, `or_now`, or refused."""

    enqueue: QueuePublisher
    key: bytes
    or_now: bool


class Update:
    def __init__(
        self,
        directory: Directory,
        ledger: Ledger,
        limits: Limits,
        rates: rate_limit.UpdateRates,
        accept: Accept,
        reads: Reads,
        later: Later | None = None,
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._limits = limits
        self._rates = rates
        self._accept = accept
        self._reads = reads
        self._later = later

    async def one(self, credential: Principal | None, app: str, board_id: str, wish: Wish) -> Answer:
        """One update, from request to rank. Returns when it is durable; raises ScoreboardError when nothing changed,
        or Unavailable when that may be unknown. A refusal decided in the transaction is an outcome, not raised."""
        credential = authorize(credential, "update_score", app)
        player = check_player(credential.subject if wish.player is None else wish.player)
        authorize_player(credential, "update_score", player)
        board = await self._directory.board(app, board_id)
        later = board.consistency == "queued" if wish.later is None else wish.later
        queued = self._later if later else None
        try:
            if queued is not None and (known := await self._known(board, credential, wish)) is not None:
                return Answer(board, Result(known), later)
            allowance = await rate_limit.check(self._limits, self._rates, credential, app)
            submission = await self._submission(credential, board, player, wish, queued)
            (result,) = await self._accepted((submission,), queued, ranks=True)
        except ScoreboardError:
            # What would refuse an update must not refuse a retry. (The transaction recalls by itself, so a key is
            # looked up here only when it was not asked.)
            outcome = None if wish.key is None else await self._recalled(board, credential, wish)
            if outcome is None:
                raise
            return Answer(board, await self._placed(board, outcome), later)
        if result.outcome.replayed:
            result = await self._placed(board, result.outcome)
        return Answer(board, result, later, allowance)

    async def _accepted(
        self, submissions: Sequence[Submission], queued: Later | None, *, ranks: bool
    ) -> Sequence[Result]:
        """From here on they cannot be lost: applied, or in the queue. An event that a failing queue took all the same
        is applied once, as it is known by its id."""
        if queued is None:
            return await self._accept.submit(submissions, ranks=ranks)
        try:
            return [Result(outcome) for outcome in await queued.enqueue.submit(submissions)]
        except Unavailable as error:
            if not queued.or_now or error.code != "queue_unavailable":
                raise
            return await self._accept.submit(submissions, ranks=ranks)

    async def _known(self, board: Board, credential: Principal, wish: Wish) -> Outcome | None:
        """What became of a queued update under this key, where that can be looked up now; else it is found out when it
        is applied."""
        try:
            return None if wish.key is None else await self._recalled(board, credential, wish)
        except Unavailable:
            return None

    async def many(
        self, credential: Principal | None, app: str, board_id: str, wishes: Sequence[Wish]
    ) -> tuple[Board, list[Result | ScoreboardError]]:
        """Up to MAX_BATCH updates from somebody trusted, in order, in one transaction; each has its own outcome or
        error. Ranks are not told. A key that is known answers from its receipt: in the same transaction or, where there
        is a queue, before anything is queued."""
        credential = authorize(credential, "update_scores", app)
        if not 1 <= len(wishes) <= MAX_BATCH:
            raise Invalid("invalid_batch", f"a batch has 1 to {MAX_BATCH} updates")
        board = await self._directory.board(app, board_id)
        queued = self._later if board.consistency == "queued" else None
        known = {} if queued is None else await self._receipts(board, credential, wishes)
        try:
            return board, await self._each(credential, board, wishes, queued, known)
        except ScoreboardError:
            known = await self._receipts(board, credential, wishes)
            if any(wish.key not in known for wish in wishes):
                raise
            return board, await self._each(credential, board, wishes, queued, known)

    async def _each(
        self,
        credential: Principal,
        board: Board,
        wishes: Sequence[Wish],
        queued: Later | None,
        known: Mapping[str, Receipt],
    ) -> list[Result | ScoreboardError]:
        if new := sum(wish.key not in known for wish in wishes):
            await rate_limit.check(self._limits, self._rates, credential, board.app.app, new)
        answers: list[Result | ScoreboardError | None] = []
        submissions: list[Submission] = []
        for wish in wishes:
            try:
                player = check_player(credential.subject if wish.player is None else wish.player)
                first = _first(board, wish, known, queued)
                if first is None:
                    submissions.append(await self._submission(credential, board, player, wish, queued))
                answers.append(first)
            except ScoreboardError as error:
                answers.append(error)
        results = iter(await self._accepted(submissions, queued, ranks=False) if submissions else [])
        told = [next(results) if answer is None else answer for answer in answers]
        return told if known else await self._forgiven(credential, board, wishes, told)

    async def _forgiven(
        self, credential: Principal, board: Board, wishes: Sequence[Wish], told: list[Result | ScoreboardError]
    ) -> list[Result | ScoreboardError]:
        """What would refuse an update by now has not refused those that were done before."""
        refused = [wish for wish, answer in zip(wishes, told, strict=True) if isinstance(answer, ScoreboardError)]
        known = await self._receipts(board, credential, refused)
        if not known:
            return told
        return [
            (_first(board, wish, known, None) if isinstance(answer, ScoreboardError) else None) or answer
            for wish, answer in zip(wishes, told, strict=True)
        ]

    async def _receipts(self, board: Board, credential: Principal, wishes: Sequence[Wish]) -> Mapping[str, Receipt]:
        """As `_known`, for all that have a key: the receipts by key."""
        keys: set[str] = set()
        for wish in wishes:
            with contextlib.suppress(Invalid):  # that is told of the one update
                keys.add(check_idempotency_key(wish.key or ""))
        try:
            return await self._ledger.receipts(board.app, credential.name, keys) if keys else {}
        except Unavailable:
            return {}

    async def _recalled(self, board: Board, credential: Principal, wish: Wish) -> Outcome | None:
        key = check_idempotency_key(wish.key or "")
        outcome = await recall(self._ledger, board.app, credential.name, key, _digest(board, wish.raw))
        if outcome is not None:
            outcome.replayed = True
        return outcome

    async def _placed(self, board: Board, outcome: Outcome) -> Result:
        key = TableKey(board.number, outcome.season, WORLD)
        return Result(outcome, *await self._reads.placed(board, key, outcome.player))

    async def _submission(
        self, credential: Principal, board: Board, player: str, wish: Wish, queued: Later | None
    ) -> Submission:
        action, value = await self._worth(credential, board, wish)
        region = await self._region(board, player, wish.region)
        accepted_at = self._accept.stamp()
        randomness = next(_randomness)
        return Submission(
            event_id.make(accepted_at, randomness)
            if queued is None
            else event_id.sealed(accepted_at, randomness, queued.key, board.app.number),
            accepted_at,
            board,
            season_at(board.period, board.time_zone, accepted_at).name,
            player,
            value,
            credential.name,
            region,
            action,
            None if wish.key is None else check_idempotency_key(wish.key),
            b"" if wish.key is None else _digest(board, wish.raw),
            _metadata(wish.metadata),
            queued is not None,
        )

    async def _worth(self, credential: Principal, board: Board, wish: Wish) -> tuple[Action | None, int]:
        if (wish.action is None) + (wish.increment is None) + (wish.score is None) != 2:
            raise Invalid("one_value", "give exactly one of action, increment and score")
        if wish.action is None:
            worth.check_sender(credential, board)
            return None, worth.value_of(board, wish.increment, wish.score)
        try:
            action = await self._directory.action(board.app.app, wish.action)
        except NotFound as error:
            raise Invalid("unknown_action", "this app has no such action") from error
        return action, worth.check_bounds(board, action.points)

    async def _region(self, board: Board, player: str, region: str | None) -> str:
        """The region given, or else the one of the player's profile where the board has it."""
        if not board.regions:
            if region is not None:
                raise Invalid("unknown_region", "this board has no regions")
            return WORLD
        if region is None:
            profile = (await self._directory.find_players(board.app, [player])).get(player)
            return profile.region if profile is not None and profile.region in board.regions else WORLD
        if region not in board.regions:
            raise Invalid("unknown_region", "this board has no such region")
        return region


def _random_numbers() -> Iterator[int]:
    """Random numbers of 62 bits from the system's source, fetched by the thousand."""
    while True:
        for (number,) in struct.iter_unpack("=Q", os.urandom(8_192)):
            yield number >> 2


_randomness = _random_numbers()


def _digest(board: Board, body: bytes) -> bytes:
    """The same body to another board is another request."""
    return hashlib.blake2b(body, digest_size=16, salt=board.number.to_bytes(16, "big")).digest()


def _first(
    board: Board, wish: Wish, known: Mapping[str, Receipt], queued: Later | None
) -> Result | ScoreboardError | None:
    """The answer to an update that was done before. One that was queued is told as it was then, with the event that has
    its outcome."""
    receipt = known.get(wish.key or "")
    if receipt is None:
        return None
    try:
        outcome = same_body(receipt, _digest(board, wish.raw))
    except ScoreboardError as error:
        return error
    return Result(replace(outcome, status=outcome.status if queued is None else "pending", replayed=True))


def _metadata(metadata: bytes | None) -> bytes | None:
    if metadata is not None and len(metadata) > MAX_METADATA_BYTES:
        raise Invalid("metadata_too_big", f"metadata is at most {MAX_METADATA_BYTES} bytes of JSON")
    return metadata
