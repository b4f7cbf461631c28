"""Idempotency: a known key answers with its first outcome, even if a check would reject the request by now."""

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
    """Return the digest under which a receipt is kept. The same body to another board is another request."""
    return hashlib.blake2b(body, digest_size=16, salt=board.pk.to_bytes(16, "big")).digest()


async def find_receipts(ledger: Ledger, app: App, credential: str, keys: Iterable[str | None]) -> Mapping[str, Receipt]:
    """Return the receipts of those keys that have one. An unreachable store has none: the transaction decides."""
    asked: set[str] = set()
    for key in keys:
        if key is not None:
            with contextlib.suppress(Invalid):  # refused where the request is resolved
                asked.add(check_idempotency_key(key))
    if not asked:
        return {}
    try:
        return await ledger.receipts(app, credential, asked)
    except Unavailable:
        return {}


def match_receipt(receipt: Receipt, digest: bytes) -> Outcome:
    """Return the first outcome of a request with this digest. Raise Conflict for another request or a spent key."""
    if receipt.digest != digest:
        raise codes.KEY_REUSED.error(
            "this idempotency key was used for another request; use a new key for a new update"
        )
    if receipt.outcome is None:
        raise codes.KEY_SPENT.error("this idempotency key was used for a player or board that was deleted since")
    return receipt.outcome
