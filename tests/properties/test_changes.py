from hypothesis import given, settings
from hypothesis import strategies as st

from scoreboard.domain.top import Line, changes

TOPS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3), max_size=6).map(
    lambda scores: [
        Line(rank, player, player, None, scores[player], 0)
        for rank, player in enumerate(sorted(scores, key=lambda player: (-scores[player], player)), 1)
    ]
)


@settings(deadline=None)
@given(TOPS, TOPS)
def test_changes_turn_the_old_top_into_the_new(old: list[Line], new: list[Line]) -> None:
    board = {line.player: (line.rank, line.score) for line in old}
    for change in changes(old, new):
        before = board.pop(change.player, None)
        assert change.previous_rank == (before[0] if before is not None else None)
        if change.rank is not None:
            board[change.player] = change.rank, change.score
    assert board == {line.player: (line.rank, line.score) for line in new}


@settings(deadline=None)
@given(TOPS, TOPS)
def test_each_changed_player_is_listed_once(old: list[Line], new: list[Line]) -> None:
    changed = [change.player for change in changes(old, new)]
    assert len(changed) == len(set(changed))
    assert set(changed) == {line.player for line in set(old) ^ set(new)}
