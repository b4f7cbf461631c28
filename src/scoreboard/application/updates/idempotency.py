"""Idempotency: answer already-applied updates from their receipts.

A receipt counts even if a check would now reject the request.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Mapping

from scoreboard.application.ports.ledger import Ledger, Receipt
from scoreboard.domain import codes
from scoreboard.domain.board import App, Board
from scoreboard.domain.errors import Invalid, Unavailable
from scoreboard.domain.identifiers import check_idempotency_key
from scoreboard.domain.submission import Outcome


def digest_of(board: Board, body: bytes) -> bytes:
    """Return the digest of a request for its receipt. It depends on the board, too."""
    return hashlib.blake2b(body, digest_size=16, salt=board.pk.to_bytes(16, "big")).digest()


async def find_receipts(ledger: Ledger, app: App, credential: str, keys: Iterable[str | None]) -> Mapping[str, Receipt]:
    """Return the receipts of those keys that have one.

    Return none if the store is unreachable, because the transaction looks them up again.
    """
    asked: set[str] = set()
    for key in keys:
        if key is not None:
            with contextlib.suppress(Invalid):  # `Submit` refuses the request.
                asked.add(check_idempotency_key(key))
    if not asked:
        return {}
    try:
        return await ledger.receipts(app, credential, asked)
    except Unavailable:
        return {}


def match_receipt(receipt: Receipt, digest: bytes) -> Outcome:
    """Return the outcome in a receipt.

    Raises Conflict if the digest is another one, or if the outcome was deleted.
    """
    if receipt.digest != digest:
        raise codes.KEY_REUSED.error(
            "this idempotency key was used for another request; use a new key for a new update"
        )
    if receipt.outcome is None:
        raise codes.KEY_SPENT.error(
            "the player or board of this idempotency key was deleted; use a new key for a new update"
        )
    return receipt.outcome
