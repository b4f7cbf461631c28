"""Require a pause between two uses of an action by a player."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scoreboard.domain import codes
from scoreboard.domain.board import Action, Board
from scoreboard.domain.bounds import MAX_COOLDOWN_S
from scoreboard.domain.facts import NO_FACT, Fact, FactKey, bucket_of
from scoreboard.domain.submission import Submission

NAME = "action_cooldown"
# The last use is kept for the longest cooldown there can be, so that a cooldown that is made longer looks back too.
KEPT_US = MAX_COOLDOWN_S * 1_000_000
SLOT_H = MAX_COOLDOWN_S // 3_600


def action_cooldown(_: Board, action: Action | None) -> "ActionCooldown | None":
    return None if action is None or not action.limited else ActionCooldown(action)


@dataclass(frozen=True, slots=True)
class ActionCooldown:
    """Keeps the instant of the last use of an action by a player.

    It is kept while any limit of the action is set, so that one that is set later looks back too.
    """

    action: Action

    def facts(self, submission: Submission) -> Sequence[FactKey]:
        """Return the slot of this use and its neighbours.

        A use that still matters is in this slot or in the one before it. One of a clock that is ahead may be in the
        next. Without a cooldown none matters yet, and only this slot is needed.
        """
        bucket = bucket_of(submission.accepted_at + KEPT_US, SLOT_H)
        return [
            self._key(submission, bucket + slots * SLOT_H) for slots in ((0, -1, 1) if self.action.cooldown_s else (0,))
        ]

    def decide(self, submission: Submission, facts: Mapping[FactKey, Fact]) -> Mapping[FactKey, Fact]:
        keys, now = self.facts(submission), submission.accepted_at
        last_at = max(facts.get(key, NO_FACT).at for key in keys)
        wait_us = last_at + self.action.cooldown_s * 1_000_000 - now
        if self.action.cooldown_s and last_at and wait_us > 0:
            wait_s = wait_us / 1e6
            text = f"{self.action.slug} counts again in {wait_s:.0f} s"
            raise codes.ACTION_COOLDOWN.error(text, retry_after_s=wait_s)
        used = facts.get(keys[0], NO_FACT)
        return {keys[0]: Fact(used.count + 1, 0, max(last_at, now))}

    def _key(self, submission: Submission, bucket: int) -> FactKey:
        return FactKey(NAME, self.action.app.pk, submission.player, bucket, str(self.action.pk))
