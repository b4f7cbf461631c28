import msgspec

from scoreboard.application.live.hub import TopMessage
from scoreboard.application.ports.ranking import Position
from scoreboard.domain.board import Board
from scoreboard.domain.top import Change, Line, TopSnapshot
from scoreboard.entrypoints.contracts.v1.live.top import encode_top
from tests.making import NOON, WIDE, board


def message(of: Board, score: int, *changes: Change) -> TopMessage:
    line = Line(1, "ann", "ann", None, score, NOON)
    return TopMessage(Position("epoch.1", 3), None, "", TopSnapshot(of, "1", "all", 1, NOON, [line]), changes)


def test_changes_list_players_that_entered_moved_and_left() -> None:
    _, text = encode_top(message(board(), 3, Change("cat", 1, None, 5), Change("bob", None, 2, 2)))
    assert msgspec.json.decode(text)["changes"] == [
        {"player": "cat", "rank": 1, "previous_rank": None, "score": 5},
        {"player": "bob", "rank": None, "previous_rank": 2, "score": 2},
    ]


def test_a_message_is_complete_with_or_without_changes() -> None:
    alone, with_changes = (msgspec.json.decode(text) for text in encode_top(message(board(), 3)))
    assert alone == {
        "type": "top",
        "app": "game",
        "board": "main",
        "season": "all",
        "region": None,
        "epoch": "epoch.1",
        "offset": 3,
        "total": 1,
        "at": "2026-11-21T12:00:00.000000Z",
        "entries": [
            {
                "rank": 1,
                "player": "ann",
                "username": "ann",
                "avatar_url": None,
                "score": 3,
                "reached_at": "2026-11-21T12:00:00.000000Z",
            }
        ],
    }
    assert with_changes == {**alone, "changes": []}


def test_a_message_is_encoded_once() -> None:
    one = message(board(), 3)
    assert encode_top(one) is encode_top(one)


def test_scores_of_a_wide_board_are_text() -> None:
    score = 2**63 - 1
    _, text = encode_top(message(board(**WIDE), score, Change("ann", 1, None, score)))
    decoded = msgspec.json.decode(text)
    assert decoded["entries"][0]["score"] == decoded["changes"][0]["score"] == "9223372036854775807"
