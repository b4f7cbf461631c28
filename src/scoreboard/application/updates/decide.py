"""Decide a batch: drop what was applied before, fold the rest. Pure; the ledger runs it inside one transaction."""

from collections.abc import Sequence
from dataclasses import replace

from scoreboard.application.ports.ledger import IMPORTED, Decision, Known, Receipt, UseKey
from scoreboard.application.updates.idempotency import same_body
from scoreboard.domain import event_id
from scoreboard.domain.errors import Conflict, NotFound, Refused, ScoreboardError
from scoreboard.domain.fold import fold
from scoreboard.domain.season import local_day
from scoreboard.domain.submission import WORLD, Outcome, Standing, Submission, TableKey


def decide(batch: Sequence[Submission], known: Known) -> Decision:
    """One outcome for each submission, in order. `known` is brought up to date on the way, so that submissions of one
    batch see each other."""
    decision = Decision()
    for submission in batch:
        decision.outcomes.append(
            _gone(submission, known)
            or _applied_before(submission, known, decision)
            or _decide_one(submission, known, decision)
        )
    return decision


def _gone(submission: Submission, known: Known) -> Outcome | None:
    if submission.board.number not in known.gone:
        return None
    return _unrecorded(submission, NotFound("board_not_found", "the board was deleted meanwhile"))


def _applied_before(submission: Submission, known: Known, decision: Decision) -> Outcome | None:
    receipt = None
    if submission.key is not None:
        receipt = known.receipts.get((submission.board.app.number, submission.credential, submission.key))
    if known.outcomes and submission.event in known.outcomes:
        _touch_again(submission, known, decision)
        if receipt is None or submission.credential != IMPORTED:  # whose events come of the entry, not of the request
            return known.outcomes[submission.event]
    if receipt is None:
        return None
    try:
        first = same_body(receipt, submission.digest)
    except ScoreboardError as error:
        return _told(submission, error, decision)  # the key keeps its first outcome
    if submission.queued:
        counted = f"the update under this idempotency key is {event_id.to_text(first.event)}"
        return _told(submission, Conflict("key_replayed", counted), decision)
    _touch_again(submission, known, decision)
    return replace(first, replayed=True)


def _told(submission: Submission, error: ScoreboardError, decision: Decision) -> Outcome:
    """A refusal that is kept under the event where somebody will ask for it, and under no key."""
    if not submission.queued:
        return _unrecorded(submission, error)
    outcome = _refused(submission, error)
    decision.fresh.append((replace(submission, key=None), outcome))
    return outcome


def _touch_again(submission: Submission, known: Known, decision: Decision) -> None:
    """It was written, but perhaps nobody was told: what it changed may not be ranked or shown yet."""
    for key in tables_of(submission):
        standing = known.standings.get(key, {}).get(submission.player)
        if standing is not None:
            decision.recovered.add(key)
            decision.touched.setdefault(key, {})[submission.player] = standing


def _decide_one(submission: Submission, known: Known, decision: Decision) -> Outcome:
    try:
        outcome = _apply(submission, known, decision)
    except Refused as refusal:
        outcome = _refused(submission, refusal)
    decision.fresh.append((submission, outcome))
    if submission.key is not None:
        receipt = Receipt(submission.digest, outcome)
        known.receipts[submission.board.app.number, submission.credential, submission.key] = receipt
    return outcome


def _apply(submission: Submission, known: Known, decision: Decision) -> Outcome:
    board = submission.board
    use = _next_use(submission, known)
    player = submission.player
    moves: list[tuple[TableKey, Standing | None, Standing]] = []
    for key in tables_of(submission):
        old = known.standings.setdefault(key, {}).get(player)
        moves.append((key, old, fold(board, old, submission)))
    # Nothing can be refused from here on, so no table is changed without the others.
    for key, old, new in moves:
        decision.touched.setdefault(key, {})[player] = new
        if new is not old:
            known.standings[key][player] = new
            decision.standings.setdefault(key, {})[player] = new
    if use is not None:
        use_key, count, at = use
        known.uses[use_key], known.last_uses[use_key.action, player] = count, at
        decision.uses.append(use)
    _, old, new = moves[0]
    return Outcome(
        submission.event,
        board.number,
        player,
        submission.season,
        submission.accepted_at,
        "applied",
        new.score,
        None if old is None else old.score,
        old is None or old.score != new.score,
        version=new.version,
    )


def tables_of(submission: Submission) -> list[TableKey]:
    """The world's table first, then the region's."""
    keys = [TableKey(submission.board.number, submission.season, WORLD)]
    if submission.region != WORLD:
        keys.append(TableKey(submission.board.number, submission.season, submission.region))
    return keys


def use_of(submission: Submission) -> UseKey | None:
    """Under what the use of a limited action is counted; None when nothing limits it."""
    action = submission.action
    if action is None or (action.per_day is None and not action.cooldown_s):
        return None
    day = local_day(action.app.time_zone, submission.accepted_at).toordinal()
    return UseKey(action.number, submission.player, day)


def _next_use(submission: Submission, known: Known) -> tuple[UseKey, int, int] | None:
    key = use_of(submission)
    if key is None or submission.action is None:
        return None
    action, today = submission.action, known.uses.get(key, 0)
    if action.per_day is not None and today >= action.per_day:
        raise Refused("action_limit", f"{action.action} counts {action.per_day} times a day for a player, and it did")
    last_at = known.last_uses.get((action.number, submission.player), 0)
    wait_us = last_at + action.cooldown_s * 1_000_000 - submission.accepted_at
    if action.cooldown_s and last_at and wait_us > 0:  # the last may be of a clock that is ahead
        wait_s = wait_us / 1e6
        raise Refused("action_cooldown", f"{action.action} counts again in {wait_s:.0f} s", retry_after_s=wait_s)
    return key, today + 1, submission.accepted_at


def _refused(submission: Submission, error: ScoreboardError) -> Outcome:
    return Outcome(
        submission.event,
        submission.board.number,
        submission.player,
        submission.season,
        submission.accepted_at,
        "refused",
        code=error.code,
        detail=error.detail,
        retry_after_s=error.retry_after_s,
    )


def _unrecorded(submission: Submission, error: ScoreboardError) -> Outcome:
    """A refusal that is told and not kept, as there is nothing to keep it under."""
    return replace(_refused(submission, error), recorded=False)


def dropped(batch: Sequence[Submission], known: Known) -> Decision:
    """As `decide`, for what an operator gave up: what has no outcome yet is refused."""
    decision = Decision()
    for submission in batch:
        refusal = Refused("dropped", "the operator dropped this update, which could not be applied")
        decision.outcomes.append(known.outcomes.get(submission.event) or _told(submission, refusal, decision))
    return decision


def poisoned(submission: Submission) -> Outcome:
    """The outcome of a submission that no store would take, whatever its neighbours."""
    return _unrecorded(submission, Refused("not_storable", "this update could not be stored and was not counted"))
