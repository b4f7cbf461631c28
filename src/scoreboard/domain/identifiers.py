"""Checks of ids, and of texts that people see."""

import re

from scoreboard.domain import codes
from scoreboard.domain.bounds import PLAYER_ID_CHARS
from scoreboard.domain.codes import Code
from scoreboard.domain.errors import Invalid

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def check_slug(text: str, code: Code[Invalid]) -> str:
    """Return the id of an app, board, action or region. Raises the error of `code`."""
    if not _SLUG.fullmatch(text):
        kind = code.name.removeprefix("invalid_")
        raise code.error(f"the {kind} id must have 1 to 50 of a-z, 0-9, '-' and '_', and start with a letter or digit")
    return text


def check_player(text: str) -> str:
    """Return a player id. Raises Invalid if it is too long or not printable."""
    if not 0 < len(text) <= PLAYER_ID_CHARS or not text.isprintable():  # Lone surrogates are not printable.
        raise codes.INVALID_PLAYER.error(f"a player id must have 1 to {PLAYER_ID_CHARS} printable characters")
    return text


def check_text(text: str, code: Code[Invalid], limit: int) -> str:
    """Return a text for people. Raises the error of `code` if it is not valid."""
    if not 0 < len(text) <= limit or not text.isprintable():
        raise code.error(f"{code.name.removeprefix('invalid_')} must have 1 to {limit} printable characters")
    return text


def check_idempotency_key(text: str) -> str:
    """Return the key. Raises Invalid unless it has 1 to 255 visible ASCII characters."""
    if not _KEY.fullmatch(text):
        raise codes.INVALID_IDEMPOTENCY_KEY.error(
            "an idempotency key must have 1 to 255 visible ASCII characters, without spaces"
        )
    return text
