"""Rules inside the transaction. A rule is one file here and one row of RULES."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from scoreboard.application.updates.rules.action_cooldown import action_cooldown
from scoreboard.application.updates.rules.action_per_day import action_per_day
from scoreboard.domain.board import Action, Board
from scoreboard.domain.submission import Rule

RuleFactory: TypeAlias = Callable[[Board, Action | None], Rule | None]
"""Makes the rule for updates of a board with an action (None: with a value). Returns None where it does not apply."""

RULES: tuple[RuleFactory, ...] = (action_per_day, action_cooldown)
"""In the order in which they are decided. The first refusal wins."""


def rules_of(board: Board, action: Action | None, factories: Sequence[RuleFactory] = RULES) -> tuple[Rule, ...]:
    """Return the rules for updates of this board with this action."""
    rules = (make(board, action) for make in factories)
    return tuple(rule for rule in rules if rule is not None)
