"""Parameters that several commands share."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, TypedDict, TypeVar

from cyclopts import CoercionError, Parameter, Token

Command = TypeVar("Command", bound=Callable[..., None])

_WHOLE = re.compile(r"[+-]?[0-9]{1,100}")


def _to_int(_kind: type, tokens: Sequence[Token]) -> int:
    """Convert exactly; Cyclopts would round 5.5 and large numbers with a point."""
    (token,) = tokens
    if not _WHOLE.fullmatch(token.value):
        raise CoercionError(token=token, target_type=int)
    return int(token.value)


def _check_patience(_kind: Any, seconds: float) -> None:
    if not seconds >= 0:  # also false for NaN
        raise ValueError("It must be 0 seconds or more.")


Whole = Annotated[int, Parameter(converter=_to_int)]
AppId = Annotated[str, Parameter(name="--app", required=True, show_default=False, help="Id of the app.")]
BoardId = Annotated[str, Parameter(name="--board", required=True, show_default=False, help="Id of the board.")]
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print the result as JSON.")]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Patience = Annotated[
    float, Parameter(validator=_check_patience, help="Seconds to keep trying while the server does not respond.")
]
NO_OPTIONS: Any = MappingProxyType({})  # default of a parameter with an `options_type`
ABSENT = Parameter(parse=False)  # of a command that shares its function with others
Yes = Annotated[
    bool,
    Parameter(name="--yes", negative="", show_default=False, help="Do not ask for confirmation; required in scripts."),
]


def examples(*commands: str) -> str:
    """Return the examples that end the help of a command.

    Each is a command without the name `scoreboard`, or a whole line that starts with a variable.
    """
    title = "Example" if len(commands) == 1 else "Examples"
    lines = (command if command[0].isupper() else f"scoreboard {command}" for command in commands)
    return "\n  ".join([f"{title}:", *lines])


def options_type(options: Mapping[str, Any], **parameter: Any) -> Any:
    """Return the type of a parameter with these options. Its value has the given ones."""
    create: Any = TypedDict  # Type checkers accept only a literal class.
    return Annotated[create("Options", options, total=False), Parameter(name="*", show_default=False, **parameter)]


def annotate(command: Command, **annotations: Any) -> Command:
    """Set annotations that are known only at run time."""
    command.__annotations__ |= annotations
    return command
