"""Rules inside the transaction: each has a file here and a row in RULES."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from scoreboard.application.updates.rules.action_cooldown import action_cooldown
from scoreboard.application.updates.rules.action_per_day import action_per_day
from scoreboard.domain.board import Action, Board
from scoreboard.domain.submission import Rule

RuleFactory: TypeAlias = Callable[[Board, Action | None], Rule | None]
"""Creates the rule for updates of a board with an action (None: with a value), or returns None if none applies."""

RULES: tuple[RuleFactory, ...] = (action_per_day, action_cooldown)
"""The rules in the order in which they run. The first refusal wins."""


def rules_of(board: Board, action: Action | None, factories: Sequence[RuleFactory] = RULES) -> tuple[Rule, ...]:
    """Return the rules for updates of a board with an action."""
    rules = (make(board, action) for make in factories)
    return tuple(rule for rule in rules if rule is not None)
