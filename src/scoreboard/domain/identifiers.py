"""Checks of ids, and of texts that people see."""

import re

from scoreboard.domain import codes
from scoreboard.domain.bounds import PLAYER_ID_CHARS
from scoreboard.domain.codes import Code
from scoreboard.domain.errors import Invalid

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def check_slug(text: str, code: Code[Invalid]) -> str:
    """Return the id of an app, board, action or region.

    Raises the error of `code` for an id that does not fit into an address.
    """
    if not _SLUG.fullmatch(text):
        raise code.error("an id is 1 to 50 of a-z, 0-9, '-' and '_', starting with a letter or digit")
    return text


def check_player(text: str) -> str:
    """Return a player id. Raises Invalid unless it is printable and not too long.

    Lone surrogates are not printable.
    """
    if not 0 < len(text) <= PLAYER_ID_CHARS or not text.isprintable():
        raise codes.INVALID_PLAYER.error(f"a player id is 1 to {PLAYER_ID_CHARS} printable characters")
    return text


def check_text(text: str, code: Code[Invalid], limit: int) -> str:
    """Return a name or address that people see.

    Raises the error of `code` unless it has 1 to `limit` printable characters.
    """
    if not 0 < len(text) <= limit or not text.isprintable():
        raise code.error(f"{code.name.removeprefix('invalid_')} is 1 to {limit} printable characters")
    return text


def check_idempotency_key(text: str) -> str:
    """Return the key. Raises Invalid unless it has 1 to 255 visible ASCII characters."""
    if not _KEY.fullmatch(text):
        raise codes.INVALID_IDEMPOTENCY_KEY.error("an idempotency key is 1 to 255 visible ASCII characters, no spaces")
    return text
