"""Was this done before? A known idempotency key answers with its first outcome, whatever would refuse it by now."""

from scoreboard.application.ports.ledger import Ledger, Receipt
from scoreboard.domain.board import App
from scoreboard.domain.errors import Conflict
from scoreboard.domain.submission import Outcome


async def recall(ledger: Ledger, app: App, credential: str, key: str, digest: bytes) -> Outcome | None:
    """The outcome under this key, None for a new key. Raises Conflict for a key that can be used no more."""
    receipt = await ledger.recall(app, credential, key)
    return None if receipt is None else same_body(receipt, digest)


def same_body(receipt: Receipt, digest: bytes) -> Outcome:
    if receipt.digest != digest:
        raise Conflict(
            "key_reused", "this idempotency key was used for another request; use a new key for a new update"
        )
    if receipt.outcome is None:
        raise Conflict("key_spent", "this idempotency key was used for a player or board that was deleted since")
    return receipt.outcome
