"""Limit how often an action counts for a player on one calendar day of the app's time zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scoreboard.domain import codes
from scoreboard.domain.board import Action, Board
from scoreboard.domain.facts import NO_FACT, Fact, FactKey
from scoreboard.domain.season import local_day
from scoreboard.domain.submission import Submission

NAME = "action_per_day"
EPOCH_DAY = 719_163  # 1970-01-01 as `date.toordinal`
DAYS_KEPT = 2  # after the start of the day in UTC: by then it is over in every time zone


def action_per_day(_: Board, action: Action | None) -> "ActionPerDay | None":
    return None if action is None or not action.limited else ActionPerDay(action)


@dataclass(frozen=True, slots=True)
class ActionPerDay:
    """Counts the uses of an action by a player and day.

    They are counted while any limit of the action is set, so that one that is set later counts earlier uses too.
    """

    action: Action

    def facts(self, submission: Submission) -> Sequence[FactKey]:
        return (self._key(submission),)

    def decide(self, submission: Submission, facts: Mapping[FactKey, Fact]) -> Mapping[FactKey, Fact]:
        key = self._key(submission)
        today, per_day = facts.get(key, NO_FACT), self.action.per_day
        if per_day is not None and today.count >= per_day:
            text = f"{self.action.slug} counts {per_day} times a day for a player, and it did"
            raise codes.ACTION_LIMIT.error(text)
        return {key: Fact(today.count + 1, 0, max(today.at, submission.accepted_at))}

    def _key(self, submission: Submission) -> FactKey:
        app = self.action.app
        day = local_day(app.time_zone, submission.accepted_at).toordinal()
        bucket = (day - EPOCH_DAY + DAYS_KEPT) * 24
        return FactKey(NAME, app.pk, submission.player, bucket, f"{self.action.pk}/{day}")
