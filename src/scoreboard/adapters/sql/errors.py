"""Errors of the storage that both databases report."""

from scoreboard.domain import codes
from scoreboard.domain.errors import Unavailable


def storage_failure(*, disk_full: bool) -> Unavailable:
    """Return the error for a failure of the database or of its disk."""
    if disk_full:
        return codes.STORAGE_FULL.error("the disk is full; nothing was counted", retry_after_s=10)
    return codes.STORAGE_FAILED.error("the database failed; the outcome may be unknown", retry_after_s=1)
