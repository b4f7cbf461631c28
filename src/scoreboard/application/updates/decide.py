"""The decision of a batch: replays, rules and folds.

All functions are pure. The ledger runs them inside one transaction.
"""

from collections.abc import Sequence
from dataclasses import replace

from scoreboard.application.ports.ledger import IMPORTED, BatchState, Decision, Receipt
from scoreboard.application.updates.idempotency import match_receipt
from scoreboard.domain import codes, event_id
from scoreboard.domain.errors import Refused, ScoreboardError
from scoreboard.domain.facts import Fact, FactKey
from scoreboard.domain.fold import fold
from scoreboard.domain.submission import Outcome, Submission


def decide(batch: Sequence[Submission], state: BatchState) -> Decision:
    """Return one outcome for each submission, in order, and the values to write.

    The function updates `state`, so that each submission of the batch sees the changes of the earlier ones.
    """
    decision = Decision()
    for submission in batch:
        outcome: Outcome | None = None
        if submission.board.pk in state.gone:
            outcome = _board_gone(submission)
        elif submission.key is not None or state.outcomes:
            outcome = _find_earlier(submission, state, decision)
        decision.outcomes.append(outcome or _apply(submission, state, decision))
    return decision


def _find_earlier(submission: Submission, state: BatchState, decision: Decision) -> Outcome | None:
    """Find the earlier outcome of a submission, by its event or its idempotency key."""
    receipt = state.receipts.get((submission.board.app.pk, submission.credential, submission.key or ""))
    if submission.event in state.outcomes:
        _rank_again(submission, state, decision)
        # The event of an imported entry is derived from the entry, so it does not identify the request.
        if receipt is None or submission.credential != IMPORTED:
            return state.outcomes[submission.event]
    if receipt is None:
        return None
    try:
        first = match_receipt(receipt, submission.digest)
    except ScoreboardError as error:
        return _refuse_without_key(submission, error, state, decision)  # The key keeps its first outcome.
    if submission.queued:
        text = f"this idempotency key already belongs to the update {event_id.to_text(first.event)}"
        return _refuse_without_key(submission, codes.KEY_REPLAYED.error(text), state, decision)
    _rank_again(submission, state, decision)
    return replace(first, replayed=True)


def _rank_again(submission: Submission, state: BatchState, decision: Decision) -> None:
    """Rank the standings of an earlier transaction, which may not be ranked yet."""
    for key in submission.tables:
        standing = state.standings.get(key, {}).get(submission.player)
        if standing is not None:
            decision.unconfirmed_tables.add(key)
            decision.to_rank.setdefault(key, {})[submission.player] = standing


def _apply(submission: Submission, state: BatchState, decision: Decision) -> Outcome:
    """Fold a submission into its tables, and store the receipt of its key."""
    try:
        outcome = _fold(submission, state, decision)
    except Refused as refusal:
        outcome = _refused(submission, refusal)
    decision.new_outcomes.append((submission, outcome))
    if submission.queued:  # A queue may deliver two copies to one batch.
        state.outcomes[submission.event] = outcome
    if submission.key is not None:
        receipt = Receipt(submission.digest, outcome)
        state.receipts[submission.board.app.pk, submission.credential, submission.key] = receipt
    return outcome


def _fold(submission: Submission, state: BatchState, decision: Decision) -> Outcome:
    board, player = submission.board, submission.player
    facts: dict[FactKey, Fact] = {}
    for rule in submission.rules:
        facts.update(rule.decide(submission, state.facts))
    changes = []
    for key in submission.tables:
        old = state.standings.setdefault(key, {}).get(player)
        changes.append((key, old, fold(board, old, submission)))
    # No refusal is possible below this line. So the tables and facts of a submission change together or not at all.
    if facts:
        state.facts.update(facts)
        decision.facts.update(facts)
    for key, old, new in changes:
        decision.to_rank.setdefault(key, {})[player] = new
        if new is not old:
            state.standings[key][player] = new
            decision.standings.setdefault(key, {})[player] = new
    _, old, new = changes[0]
    return Outcome(
        submission.event,
        board.pk,
        player,
        submission.season,
        submission.accepted_at,
        "applied",
        new.score,
        None if old is None else old.score,
        old is None or old.score != new.score,
        version=new.version,
    )


def _refuse_without_key(
    submission: Submission, error: ScoreboardError, state: BatchState, decision: Decision
) -> Outcome:
    """Refuse a submission without a receipt under its key.

    The refusal of a queued submission is recorded under its event, because its client reads it there.
    """
    if not submission.queued:
        return _unrecorded(submission, error)
    outcome = state.outcomes[submission.event] = _refused(submission, error)
    decision.new_outcomes.append((replace(submission, key=None), outcome))
    return outcome


def _refused(submission: Submission, error: ScoreboardError) -> Outcome:
    return Outcome(
        submission.event,
        submission.board.pk,
        submission.player,
        submission.season,
        submission.accepted_at,
        "refused",
        code=error.code,
        detail=error.detail,
        retry_after_s=error.retry_after_s,
    )


def _board_gone(submission: Submission) -> Outcome:
    return _unrecorded(submission, codes.BOARD_NOT_FOUND.error("the board was deleted before the update was applied"))


def _unrecorded(submission: Submission, error: ScoreboardError) -> Outcome:
    return replace(_refused(submission, error), recorded=False)


def decide_dropped(batch: Sequence[Submission], state: BatchState) -> Decision:
    """Refuse those submissions of a dead letter that have no outcome."""
    decision = Decision()
    for submission in batch:
        refusal = codes.DROPPED.error("the operator dropped this update, which could not be applied")
        if submission.board.pk in state.gone:
            outcome = _board_gone(submission)
        elif submission.event in state.outcomes:
            outcome = state.outcomes[submission.event]
        else:
            outcome = _refuse_without_key(submission, refusal, state, decision)
        decision.outcomes.append(outcome)
    return decision


def refuse_unstorable(submission: Submission) -> Outcome:
    """Return the outcome of a submission that the store rejects even alone."""
    return _unrecorded(submission, codes.NOT_STORABLE.error("this update could not be stored and was not counted"))
