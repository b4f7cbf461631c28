"""Findings: the lines of `scoreboard doctor`."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about the settings, the data folder or a server, with its remedy."""

    check: str
    state: State
    text: str
    remedy: str | None = None


def version_finding(check: str, name: str, *, new_enough: bool, oldest: str) -> Finding:
    """Return the finding on a server's version. `name` contains the version."""
    if new_enough:
        return Finding(check, "ok", name)
    return Finding(check, "problem", f"{name} is too old", f"update it to at least {oldest}")


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a dotted version, for comparison."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
