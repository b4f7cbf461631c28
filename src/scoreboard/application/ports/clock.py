"""The clock port."""

from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]
"""Returns the time of the wall clock, in microseconds since 1970."""
