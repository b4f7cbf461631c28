"""Parameters that several commands share."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from cyclopts import CoercionError, Parameter, Token

from scoreboard.cli import output
from scoreboard.cli.errors import CommandError, UsageError

Command = TypeVar("Command", bound=Callable[..., None])

_WHOLE = re.compile(r"[+-]?[0-9]{1,100}")


def _to_int(_kind: type, tokens: Sequence[Token]) -> int:
    """Convert an integer exactly. Cyclopts would round 5.5 and large numbers with a decimal point."""
    (token,) = tokens
    if not _WHOLE.fullmatch(token.value):
        raise CoercionError(token=token, target_type=int)
    return int(token.value)


def _check_patience(_kind: Any, seconds: float) -> None:
    if not seconds >= 0:  # also false for NaN
        raise ValueError("It is 0 seconds or more.")


Whole = Annotated[int, Parameter(converter=_to_int)]
AppId = Annotated[str, Parameter(name="--app", required=True, show_default=False, help="Id of the app.")]
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON, for programs.")]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Patience = Annotated[
    float, Parameter(validator=_check_patience, help="Seconds to keep trying while the server does not respond.")
]
Yes = Annotated[bool, Parameter(name="--yes", negative="", show_default=False, help="Do not ask; needed in scripts.")]


def examples(*commands: str) -> str:
    """Return the examples that end the help of a command."""
    title = "Example" if len(commands) == 1 else "Examples"
    return "\n".join([f"{title}:", *(f"  scoreboard {command}" for command in commands)])


def annotate(command: Command, **annotations: Any) -> Command:
    """Set annotations that are known only at run time."""
    command.__annotations__ |= annotations
    return command


def require_consent(action: str, *, yes: bool) -> None:
    """Ask before an action that cannot be undone. Without a terminal `--yes` is required."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"this cannot be undone: {action}; to confirm, add --yes")
    if not output.confirm(f"{action[0].upper()}{action[1:]}? This cannot be undone."):
        raise CommandError("cancelled; nothing was changed")
