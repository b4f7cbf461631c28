"""A rule: the daily limit of an action for a player, in the time zone of the app."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scoreboard.domain import codes
from scoreboard.domain.board import Action, Board
from scoreboard.domain.facts import NO_FACT, Fact, FactKey
from scoreboard.domain.season import local_day
from scoreboard.domain.submission import Submission

NAME = "action_per_day"
EPOCH_DAY = 719_163  # 1970-01-01 as `date.toordinal`
DAYS_KEPT = 2  # after the start of the day in UTC; then the day is over in every time zone


def action_per_day(_: Board, action: Action | None) -> "ActionPerDay | None":
    return None if action is None or not action.limited else ActionPerDay(action)


@dataclass(frozen=True, slots=True)
class ActionPerDay:
    """The rule for one action. Its fact is the number of the player's uses on a day.

    Uses are counted while any limit of the action is set, so that a daily limit that is set later includes them.
    """

    action: Action

    def facts(self, submission: Submission) -> Sequence[FactKey]:
        return (self._key(submission),)

    def decide(self, submission: Submission, facts: Mapping[FactKey, Fact]) -> Mapping[FactKey, Fact]:
        key = self._key(submission)
        today, per_day = facts.get(key, NO_FACT), self.action.per_day
        if per_day is not None and today.count >= per_day:
            text = f"the action {self.action.slug} is limited to {per_day:,} per player and day; try again tomorrow"
            raise codes.ACTION_LIMIT.error(text)
        return {key: Fact(today.count + 1, 0, max(today.at, submission.accepted_at))}

    def _key(self, submission: Submission) -> FactKey:
        app = self.action.app
        day = local_day(app.time_zone, submission.accepted_at).toordinal()
        bucket = (day - EPOCH_DAY + DAYS_KEPT) * 24
        return FactKey(NAME, app.pk, submission.player, bucket, f"{self.action.pk}/{day}")
