"""Time, as the core sees it."""

from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]
"""The wall clock, in microseconds since 1970."""
