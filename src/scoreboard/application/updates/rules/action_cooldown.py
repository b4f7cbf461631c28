"""A rule: the least time between two uses of an action by a player."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scoreboard.domain import codes
from scoreboard.domain.board import Action, Board
from scoreboard.domain.bounds import MAX_COOLDOWN_S
from scoreboard.domain.facts import NO_FACT, Fact, FactKey, bucket_of
from scoreboard.domain.submission import Submission

NAME = "action_cooldown"
# The last use is kept for the longest possible cooldown, so that a cooldown that is made longer applies to it.
KEPT_US = MAX_COOLDOWN_S * 1_000_000
SLOT_H = MAX_COOLDOWN_S // 3_600


def action_cooldown(_: Board, action: Action | None) -> "ActionCooldown | None":
    return None if action is None or not action.limited else ActionCooldown(action)


@dataclass(frozen=True, slots=True)
class ActionCooldown:
    """The rule for one action. Its fact is the instant of the player's last use.

    The fact is written while any limit of the action is set, so that a cooldown that is set later applies to it.
    """

    action: Action

    def facts(self, submission: Submission) -> Sequence[FactKey]:
        """Return the key of the slot of this use, and with a cooldown its neighbours.

        The last use may be in this slot or in the previous one. If another server's clock is ahead, it may be in the
        next. Without a cooldown the rule does not need the last use.
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
            text = f"the action {self.action.slug} counts again in {math.ceil(wait_s)} s"
            raise codes.ACTION_COOLDOWN.error(text, retry_after_s=wait_s)
        used = facts.get(keys[0], NO_FACT)
        return {keys[0]: Fact(used.count + 1, 0, max(last_at, now))}

    def _key(self, submission: Submission, bucket: int) -> FactKey:
        return FactKey(NAME, self.action.app.pk, submission.player, bucket, str(self.action.pk))
