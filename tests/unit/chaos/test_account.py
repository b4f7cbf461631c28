from pathlib import Path

from chaos.account import Line, acknowledged, in_flight, read, sums, text

BROKEN = Line("B", "k1", "ann", 5, 1.0, 2.0, "-")
AGAIN = Line("Q", "k1", "ann", 5, 2.5, 3.0, "e1")
OTHER = Line("A", "k2", "bob", 7, 1.5, 4.0, "e2")
REFUSED = Line("X", "k3", "bob", 9, 1.5, 4.0, "409 'a problem'")
LINES = [BROKEN, AGAIN, OTHER, REFUSED]


def test_what_was_logged_is_read_but_for_a_line_that_is_being_written(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert read(log) == []
    log.write_text("".join(f"{text(line)}\n" for line in LINES) + "A k4 cat")
    assert read(log) == LINES


def test_a_key_counts_once_and_only_when_acknowledged() -> None:
    assert acknowledged([*LINES, AGAIN]) == {"k1": AGAIN, "k2": OTHER}
    assert sums([*LINES, AGAIN]) == {"ann": 5, "bob": 7}


def test_in_flight_is_what_was_sent_and_not_answered() -> None:
    assert [in_flight(LINES, at) for at in (0.5, 1.8, 2.2, 3.5, 4.0)] == [0, 3, 2, 2, 0]
