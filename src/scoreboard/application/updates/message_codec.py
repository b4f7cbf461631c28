"""Signed messages of submissions for the queue.

The signature proves that a process with the same keys accepted the submissions.

    version (1 byte)  id of the key (8)  signature: keyed BLAKE2b over all else (32)  contents: MessagePack

The contents include boards, apps and actions as they were at acceptance. So the limits of an action at that time
apply. By the `pk` of a board that was deleted since, the ledger can refuse its submissions.
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
# The partition keys of an app's players. Updates that arrive together make at most this many messages. A message costs
# as much as many updates, so there are only as many as spread evenly over the shards of the queue.
PARTITIONS = 8
_ID_BYTES, _SIGNATURE_BYTES = 8, 32
_HEAD_BYTES = 1 + _ID_BYTES + _SIGNATURE_BYTES


class InvalidSignature(Exception):
    """A message with an unknown key, a wrong signature or an unknown version."""


class _Submission(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A submission whose `board` and `action` are indexes into lists of the contents."""

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
    """A codec that signs with the first key and accepts signatures of all keys.

    To rotate the key, add the new one in second place on every server, then make it the first. Remove the old key when
    no message with its signature can be left. The constructor raises ValueError without a key or for a short one.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) < MIN_KEY_BYTES for key in keys):
            raise ValueError(f"a queue needs at least one key, each of {MIN_KEY_BYTES} bytes or more")
        digests = [hashlib.blake2b(key, digest_size=64, person=b"queue seal").digest() for key in keys]
        self._keys = {hashlib.blake2b(digest, digest_size=_ID_BYTES).digest(): digest for digest in digests}
        self._first = next(iter(self._keys))

    def encode(self, submissions: Sequence[Submission]) -> bytes:
        head = bytes((VERSION,)) + self._first
        contents = _encoder.encode(_pack(submissions))
        return head + self._sign(self._first, head, contents) + contents

    def decode(self, body: bytes) -> list[Submission]:
        """Return the submissions of a message. Raises InvalidSignature."""
        head, signature, contents = body[: 1 + _ID_BYTES], body[1 + _ID_BYTES : _HEAD_BYTES], body[_HEAD_BYTES:]
        if not head or head[0] not in (1, VERSION):
            raise InvalidSignature("the message has an unknown version")
        if head[1:] not in self._keys:
            raise InvalidSignature("the message was signed with an unknown key")
        if not hmac.compare_digest(signature, self._sign(head[1:], head, contents)):
            raise InvalidSignature("the message was changed after it was signed")
        try:
            return _unpack(_decoder.decode(contents) if head[0] == VERSION else _decode_version_1(contents))
        except (msgspec.MsgspecError, IndexError) as error:
            raise InvalidSignature("the message has an unknown version") from error

    def messages(self, submissions: Sequence[Submission]) -> list[Message]:
        """Return messages of at most MAX_BODY_BYTES and MAX_SUBMISSIONS each.

        A message has the priority of its boards. Submissions of one player share a partition key and keep their order.
        """
        groups: defaultdict[tuple[str, Priority], list[Submission]] = defaultdict(list)
        for submission in submissions:
            groups[partition_key_of(submission), submission.board.priority].append(submission)
        return [
            Message(body, partition_key, priority)
            for (partition_key, priority), group in groups.items()
            for start in range(0, len(group), MAX_SUBMISSIONS)
            for body in self._bodies(group[start : start + MAX_SUBMISSIONS])
        ]

    def _bodies(self, submissions: Sequence[Submission]) -> Iterator[bytes]:
        """Halve a list of submissions until each body is small enough. One submission is."""
        body = self.encode(submissions)
        if len(body) <= MAX_BODY_BYTES or len(submissions) == 1:
            yield body
        else:
            middle = len(submissions) // 2
            yield from self._bodies(submissions[:middle])
            yield from self._bodies(submissions[middle:])

    def _sign(self, key: bytes, head: bytes, contents: bytes) -> bytes:
        signature = hashlib.blake2b(head, key=self._keys[key], digest_size=_SIGNATURE_BYTES)
        signature.update(contents)
        return signature.digest()


def _decode_version_1(contents: bytes) -> _Contents:
    """Decode the contents of an older release, which named `pk` and `slug` otherwise."""
    boards, actions, submissions = msgspec.msgpack.decode(contents)
    for kind, definitions in (("board", boards), ("action", actions)):
        for definition in definitions:
            app = definition["app"]
            app["pk"], app["slug"] = app.pop("number"), app.pop("app")
            definition["pk"], definition["slug"] = definition.pop("number"), definition.pop(kind)
    return msgspec.convert([boards, actions, submissions], _Contents)


def partition_key_of(submission: Submission) -> str:
    """Return a partition key that all submissions of an app's player share."""
    app = submission.board.app.pk
    digest = hashlib.blake2b(submission.player.encode(), digest_size=8, salt=app.to_bytes(16, "big")).digest()
    return str(int.from_bytes(digest, "big") % PARTITIONS)


def _pack(submissions: Sequence[Submission]) -> _Contents:
    boards = list({s.board.pk: s.board for s in submissions}.values())
    actions = list({s.action.pk: s.action for s in submissions if s.action is not None}.values())
    board_index = {board.pk: index for index, board in enumerate(boards)}
    action_index = {action.pk: index for index, action in enumerate(actions)}
    packed = [
        _Submission(
            s.event,
            s.accepted_at,
            board_index[s.board.pk],
            s.season,
            s.player,
            s.value,
            s.credential,
            s.region,
            None if s.action is None else action_index[s.action.pk],
            s.key,
            s.digest,
            s.metadata,
        )
        for s in submissions
    ]
    return _Contents(boards, actions, packed)


def _unpack(contents: _Contents) -> list[Submission]:
    return [
        Submission(
            EventId(packed.event),
            packed.accepted_at,
            contents.boards[packed.board],
            packed.season,
            packed.player,
            packed.value,
            packed.credential,
            packed.region,
            None if packed.action is None else contents.actions[packed.action],
            packed.key,
            packed.digest,
            packed.metadata,
            queued=True,
        )
        for packed in contents.submissions
    ]
