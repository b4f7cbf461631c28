"""Submissions as they travel through a queue, sealed so that what is applied is what was accepted by one of us.

    version (1 byte)  id of the key (8)  seal: keyed BLAKE2b over all else (32)  contents: MessagePack

The contents tell boards, apps and actions as they were when the submission was accepted: an action is limited as it was
then, and a board that was deleted meanwhile still has a number for the ledger to refuse the submission by.
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from scoreboard.application.ports.queue import MAX_BODY_BYTES, Message
from scoreboard.domain.board import Action, Board, Priority
from scoreboard.domain.event_id import EventId
from scoreboard.domain.submission import Submission

VERSION = 2
MAX_SUBMISSIONS = 500
MIN_KEY_BYTES = 32
# Of each app's players: as many messages, at most, for what arrives together. A message costs as much as many updates,
# so there are only as many as fill the shards evenly.
PARTITIONS = 8
_ID_BYTES, _SEAL_BYTES = 8, 32
_HEAD_BYTES = 1 + _ID_BYTES + _SEAL_BYTES


class InvalidSignature(Exception):
    """The message was not sealed with one of our keys, was changed since, or is of a version this one cannot read."""


class _Submission(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """`board` and `action` are places in the lists of the contents."""

    event: bytes
    accepted_at: int
    board: int
    season: str
    player: str
    value: int
    credential: str
    region: str | None
    action: int | None
    key: str | None
    digest: bytes
    metadata: bytes | None


class _Contents(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    boards: list[Board]
    actions: list[Action]
    submissions: list[_Submission]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Contents)


class MessageCodec:
    """Seals with the first key, opens with any: to change the key, put the new one second everywhere, then first, and
    take the old one out when no message of it can be left."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raises ValueError without a key, and for one of fewer than MIN_KEY_BYTES."""
        if not keys or any(len(key) < MIN_KEY_BYTES for key in keys):
            raise ValueError(f"a queue needs at least one key, each of {MIN_KEY_BYTES} bytes or more")
        digests = [hashlib.blake2b(key, digest_size=64, person=b"queue seal").digest() for key in keys]
        self._keys = {hashlib.blake2b(digest, digest_size=_ID_BYTES).digest(): digest for digest in digests}
        self._first = next(iter(self._keys))

    def encode(self, submissions: Sequence[Submission]) -> bytes:
        head = bytes((VERSION,)) + self._first
        contents = _encoder.encode(_packed(submissions))
        return head + self._sign(self._first, head, contents) + contents

    def decode(self, body: bytes) -> list[Submission]:
        """The submissions, of boards as they were. Raises InvalidSignature."""
        head, seal, contents = body[: 1 + _ID_BYTES], body[1 + _ID_BYTES : _HEAD_BYTES], body[_HEAD_BYTES:]
        if not head or head[0] not in (1, VERSION):
            raise InvalidSignature("the message is of another version")
        if head[1:] not in self._keys:
            raise InvalidSignature("the message was sealed with a key that is not ours")
        if not hmac.compare_digest(seal, self._sign(head[1:], head, contents)):
            raise InvalidSignature("the message was changed after it was sealed")
        try:
            return _unpacked(_decoder.decode(contents) if head[0] == VERSION else _decode_version_1(contents))
        except (msgspec.MsgspecError, IndexError) as error:
            raise InvalidSignature("the message is of another version") from error

    def messages(self, submissions: Sequence[Submission]) -> list[Message]:
        """The submissions as messages of at most MAX_BODY_BYTES and MAX_SUBMISSIONS, each in its board's tier, those of
        one player in one lane and in their order."""
        by_lane: defaultdict[tuple[str, Priority], list[Submission]] = defaultdict(list)
        for submission in submissions:
            by_lane[partition_key_of(submission), submission.board.priority].append(submission)
        return [
            Message(body, lane, tier)
            for (lane, tier), some in by_lane.items()
            for start in range(0, len(some), MAX_SUBMISSIONS)
            for body in self._bodies(some[start : start + MAX_SUBMISSIONS])
        ]

    def _bodies(self, submissions: Sequence[Submission]) -> Iterator[bytes]:
        """Halved until each is small enough; one submission always is."""
        body = self.encode(submissions)
        if len(body) <= MAX_BODY_BYTES or len(submissions) == 1:
            yield body
        else:
            middle = len(submissions) // 2
            yield from self._bodies(submissions[:middle])
            yield from self._bodies(submissions[middle:])

    def _sign(self, key: bytes, head: bytes, contents: bytes) -> bytes:
        seal = hashlib.blake2b(head, key=self._keys[key], digest_size=_SEAL_BYTES)
        seal.update(contents)
        return seal.digest()


def _decode_version_1(contents: bytes) -> _Contents:
    """Decode the contents of an older release, which had other names for `pk` and `slug`."""
    boards, actions, submissions = msgspec.msgpack.decode(contents)
    for kind, definitions in (("board", boards), ("action", actions)):
        for definition in definitions:
            app = definition["app"]
            app["pk"], app["slug"] = app.pop("number"), app.pop("app")
            definition["pk"], definition["slug"] = definition.pop("number"), definition.pop(kind)
    return msgspec.convert([boards, actions, submissions], _Contents)


def partition_key_of(submission: Submission) -> str:
    """The same for all submissions of a player of an app, whatever the board."""
    app = submission.board.app.pk
    who = hashlib.blake2b(submission.player.encode(), digest_size=8, salt=app.to_bytes(16, "big")).digest()
    return str(int.from_bytes(who, "big") % PARTITIONS)


def _packed(submissions: Sequence[Submission]) -> _Contents:
    boards = list({one.board.pk: one.board for one in submissions}.values())
    actions = list({one.action.pk: one.action for one in submissions if one.action is not None}.values())
    board_at = {board.pk: at for at, board in enumerate(boards)}
    action_at = {action.pk: at for at, action in enumerate(actions)}
    return _Contents(boards, actions, [_packed_one(one, board_at, action_at) for one in submissions])


def _packed_one(one: Submission, board_at: dict[int, int], action_at: dict[int, int]) -> _Submission:
    return _Submission(
        one.event,
        one.accepted_at,
        board_at[one.board.pk],
        one.season,
        one.player,
        one.value,
        one.credential,
        one.region,
        None if one.action is None else action_at[one.action.pk],
        one.key,
        one.digest,
        one.metadata,
    )


def _unpacked(contents: _Contents) -> list[Submission]:
    return [
        Submission(
            EventId(one.event),
            one.accepted_at,
            contents.boards[one.board],
            one.season,
            one.player,
            one.value,
            one.credential,
            one.region,
            None if one.action is None else contents.actions[one.action],
            one.key,
            one.digest,
            one.metadata,
            queued=True,
        )
        for one in contents.submissions
    ]
