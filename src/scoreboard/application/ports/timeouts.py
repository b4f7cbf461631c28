"""The time-outs of an adapter, as one object that its parts share."""

from dataclasses import astuple, dataclass
from typing import TypeVar

T = TypeVar("T", bound="Timeouts")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Base of the time-outs of an adapter. Every field is a number of seconds."""

    def scaled(self: T, factor: float) -> T:
        """Return a copy with each time-out multiplied by `factor`."""
        return type(self)(*(seconds * factor for seconds in astuple(self)))
