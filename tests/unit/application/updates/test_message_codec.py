from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoreboard.application.ports.ledger import BatchState
from scoreboard.application.ports.queue import MAX_BODY_BYTES
from scoreboard.application.updates.decide import decide
from scoreboard.application.updates.message_codec import (
    MAX_SUBMISSIONS,
    PARTITIONS,
    VERSION,
    InvalidSignature,
    MessageCodec,
    partition_key_of,
)
from scoreboard.domain.board import INT64_MAX, INT64_MIN, Action, App, Board
from scoreboard.domain.event_id import EventId
from scoreboard.domain.submission import Submission
from tests.making import action, board, submission

OLD, NEW, FOREIGN = b"o" * 32, b"n" * 32, b"f" * 40
CODEC = MessageCodec([NEW, OLD])
VERSION_1 = bytes.fromhex(  # encoded by release 0.1 with the key below
    "014b86e8d4cf04aafb525f93692d9c1571cca317698e27b50312fe8a199b6ce7530ea9da9907b930399391de0014a66e756d"
    "62657207a361707084a66e756d62657203a3617070a467616d65a46e616d65a447616d65a974696d655f7a6f6e65ad457572"
    "6f70652f4265726c696ea5626f617264a46d61696ea46e616d65a44d61696ea86f70657261746f72a9696e6372656d656e74"
    "a9646972656374696f6eaa64657363656e64696e67a474696573a86561726c69657374a96e756d626572696e67a76f726469"
    "6e616ca6706572696f64a8616c6c5f74696d65a974696d655f7a6f6e65a3555443a7726567696f6e7390a5746f705f6e0aa6"
    "7075626c6963c3ad706c617965725f76616c756573c2ab636f6e73697374656e6379a6717565756564a87072696f72697479"
    "a66e6f726d616ca96d696e5f76616c7565d3ffe0000000000001a96d61785f76616c7565cf001fffffffffffffa96d696e5f"
    "746f74616cd3ffe0000000000001a96d61785f746f74616ccf001fffffffffffff9186a66e756d62657205a361707084a66e"
    "756d62657203a3617070a467616d65a46e616d65a447616d65a974696d655f7a6f6e65ad4575726f70652f4265726c696ea6"
    "616374696f6ea377696ea6706f696e747319a77065725f64617903aa636f6f6c646f776e5f7300919cc410018bcfe5680070"
    "008000000000000005cf00060a24181e400000a3616c6ca5616c69636519ab7365727665723a73686f70c000a56b65792d31"
    "c406646967657374c4077b2278223a317d"
)
VERSION_1_KEY = b"k" * 32

texts = st.text(st.characters(codec="utf-8"), max_size=50)
int64s = st.integers(INT64_MIN, INT64_MAX)
numbers = st.integers(1, 5)


def mark_queued(submissions: list[Submission]) -> list[Submission]:
    return [replace(submission, queued=True) for submission in submissions]


@st.composite
def submissions(draw: st.DrawFn) -> list[Submission]:
    """Draw submissions. Each `pk` always stands for the same board, app or action."""
    apps = [App(n, draw(texts), draw(texts), "Europe/Berlin") for n in range(1, 4)]
    boards = [
        board(pk=n, app=apps[n % 3], slug=draw(texts), regions=tuple(draw(st.lists(texts, max_size=3))))
        for n in range(1, 4)
    ]
    uses = [
        Action(n, apps[n % 3], draw(texts), draw(int64s), draw(st.none() | numbers), draw(numbers)) for n in range(1, 4)
    ]
    one = st.builds(
        Submission,
        st.binary(min_size=16, max_size=16).map(EventId),
        int64s,
        st.sampled_from(boards),
        texts,
        texts,
        int64s,
        texts,
        texts,
        st.none() | st.sampled_from(uses),
        st.none() | texts,
        st.binary(max_size=16),
        st.none() | st.binary(max_size=200),
    )
    return draw(st.lists(one, max_size=8))


@given(submissions())
def test_decoding_restores_the_submissions(encoded: list[Submission]) -> None:
    assert CODEC.decode(CODEC.encode(encoded)) == mark_queued(encoded)


@settings(max_examples=300)
@given(submissions(), st.data())
def test_any_changed_byte_is_detected(encoded: list[Submission], data: st.DataObject) -> None:
    body = bytearray(CODEC.encode(encoded))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidSignature):
        CODEC.decode(bytes(body))


@given(submissions(), st.data())
def test_a_shortened_or_extended_message_is_rejected(encoded: list[Submission], data: st.DataObject) -> None:
    body = CODEC.encode(encoded)
    for changed in (body[: data.draw(st.integers(0, len(body) - 1))], body + b"\0"):
        with pytest.raises(InvalidSignature):
            CODEC.decode(changed)


@given(st.binary(max_size=200))
def test_a_message_without_a_signature_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidSignature):
        CODEC.decode(body)
    with pytest.raises(InvalidSignature):
        CODEC.decode(bytes((VERSION,)) + body)


def test_a_message_of_the_previous_release_is_decoded() -> None:
    app = App(3, "game", "Game", "Europe/Berlin")
    main = Board(7, app, "main", "Main", consistency="queued")
    (found,) = MessageCodec([VERSION_1_KEY]).decode(VERSION_1)
    assert (found.board, found.action) == (main, Action(5, app, "win", 25, per_day=3))
    assert (found.player, found.value, found.key) == ("alice", 25, "key-1")


def test_keys_are_rotated_without_a_gap() -> None:
    encoded = [submission(board())]
    for signing, accepted in (([OLD], [OLD, NEW]), ([OLD, NEW], [NEW, OLD]), ([NEW, OLD], [NEW])):
        assert MessageCodec(accepted).decode(MessageCodec(signing).encode(encoded)) == mark_queued(encoded)
    with pytest.raises(InvalidSignature, match="key"):
        MessageCodec([NEW]).decode(MessageCodec([OLD, NEW]).encode(encoded))
    with pytest.raises(InvalidSignature, match="key"):
        CODEC.decode(MessageCodec([FOREIGN]).encode(encoded))


@pytest.mark.parametrize("keys", [[], [b""], [NEW, b"short"]])
def test_a_short_key_is_rejected(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        MessageCodec(keys)


def test_a_decoded_update_to_a_deleted_board_is_refused() -> None:
    encoded = submission(board(), use=action(per_day=1))
    (decoded,) = CODEC.decode(CODEC.encode([encoded]))
    assert decoded == replace(encoded, queued=True, rules=())  # the consumer finds the rules
    (outcome,) = decide([decoded], BatchState(gone={1})).outcomes
    assert (outcome.event, outcome.status, outcome.code) == (encoded.event, "refused", "board_not_found")


class TestMessages:
    def decode_messages(self, some: list[Submission]) -> list[list[Submission]]:
        messages = CODEC.messages(some)
        assert all(len(message.body) <= MAX_BODY_BYTES for message in messages)
        batches = [CODEC.decode(message.body) for message in messages]
        for message, batch in zip(messages, batches, strict=True):
            assert 1 <= len(batch) <= MAX_SUBMISSIONS
            assert {partition_key_of(one) for one in batch} == {message.partition_key}
        return batches

    def test_no_submissions_are_no_messages(self) -> None:
        assert CODEC.messages([]) == []

    def test_the_updates_of_a_player_stay_in_order(self) -> None:
        some = [submission(board(pk=n % 3 + 1), f"player {n % 40}", value=n) for n in range(2_000)]
        batches = self.decode_messages(some)
        for player in {one.player for one in some}:
            found = [one for batch in batches for one in batch if one.player == player]
            assert found == mark_queued([one for one in some if one.player == player])

    def test_many_updates_are_several_messages(self) -> None:
        sizes = [len(batch) for batch in self.decode_messages([submission(board()) for _ in range(1_200)])]
        assert sizes == [500, 500, 200]

    def test_large_updates_are_several_messages(self) -> None:
        some = [submission(board(), value=n, metadata=b"m" * 2_048) for n in range(200)]
        batches = self.decode_messages(some)
        assert len(batches) > 1
        assert [one for batch in batches for one in batch] == mark_queued(some)

    def test_the_largest_update_fits(self) -> None:
        large_board = board(name="ß" * 100, regions=tuple(f"{n:050}" for n in range(100)))
        one = submission(large_board, "語" * 50, use=action(slug="a" * 50), key="k" * 255, body=b"d" * 16)
        assert self.decode_messages([replace(one, metadata=b"m" * 2_048)])

    def test_messages_have_the_priorities_of_their_boards(self) -> None:
        some = [submission(board(pk=n, priority=tier)) for n, tier in enumerate(("high", "low", "normal"), 1)]
        found = {message.priority: CODEC.decode(message.body) for message in CODEC.messages(some)}
        assert {priority: [one.board.pk for one in batch] for priority, batch in found.items()} == {
            "high": [1],
            "low": [2],
            "normal": [3],
        }

    def test_players_are_spread_over_partition_keys(self) -> None:
        one = board()
        partition_keys = {partition_key_of(submission(one, f"player {n}")) for n in range(1_000)}
        assert len(partition_keys) == PARTITIONS
        assert partition_key_of(submission(one)) == partition_key_of(submission(board(pk=9)))

    def test_many_updates_at_once_are_few_messages(self) -> None:
        one = board()
        batch = [submission(one, f"player {n}") for n in range(MAX_SUBMISSIONS)]
        assert len(CODEC.messages(batch)) <= MAX_SUBMISSIONS // 50
