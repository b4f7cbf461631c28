"""The message of a changed top N, encoded once for WebSocket and events."""

import msgspec

from scoreboard.application.live.hub import TopMessage
from scoreboard.domain import instant
from scoreboard.entrypoints.contracts.v1.entries import Entry, entries, is_wide

NAME = "v1"

_encode = msgspec.json.Encoder().encode


class Change(msgspec.Struct):
    """One player's move; a rank of null is outside the top N."""

    player: str
    rank: int | None
    previous_rank: int | None
    score: int | str


class Top(msgspec.Struct, tag="top", tag_field="type"):
    """The complete top N at one position.

    `changes` are sent only to clients that had the previous position.
    """

    app: str
    board: str
    season: str
    region: str | None
    epoch: str
    offset: int
    total: int
    at: str
    entries: list[Entry]
    changes: list[Change] | msgspec.UnsetType = msgspec.UNSET


def encode_top(message: TopMessage) -> tuple[bytes, bytes]:
    """Return the JSON of a message without and with the changes."""
    encoded = message.framed.get(NAME)
    if encoded is None:
        snapshot, wide = message.top, is_wide(message.top.board)
        top = Top(
            snapshot.board.app.slug,
            snapshot.board.slug,
            snapshot.season,
            message.region or None,
            *message.position,
            snapshot.total,
            instant.to_text(snapshot.at),
            entries(snapshot.board, snapshot.lines),
        )
        alone = _encode(top)
        top.changes = [
            Change(move.player, move.rank, move.previous_rank, str(move.score) if wide else move.score)
            for move in message.changes
        ]
        encoded = message.framed[NAME] = alone, _encode(top)
    return encoded
