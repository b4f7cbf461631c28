"""Parameters that several commands share."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, make_dataclass
from typing import Annotated, Any, TypeVar

from cyclopts import CoercionError, Parameter, Token
from msgspec import UNSET

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
    """Return the type of a parameter that has the given options, by name."""
    fields = [(name, option, UNSET) for name, option in options.items()]
    # Cyclopts takes a class of the module `types`, the default here, for a built-in one.
    created = make_dataclass("Options", fields, frozen=True, kw_only=True, namespace={"__module__": __name__})
    return Parameter(name="*", show_default=False, **parameter)(created) | None


def given(options: Any) -> dict[str, Any]:
    """Return the options in a value of an `options_type` that were given, by name."""
    fields = {} if options is None else asdict(options)
    return {name: value for name, value in fields.items() if value is not UNSET}


def annotate(command: Command, **annotations: Any) -> Command:
    """Set annotations that are known only at run time."""
    command.__annotations__ |= annotations
    return command
