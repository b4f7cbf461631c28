"""The client has types of its own; here they are held to those that the server answers with."""

import msgspec
import pytest

from scoreboard.client import results
from scoreboard.entrypoints.contracts.v1 import entries, schema
from scoreboard.entrypoints.contracts.v1.live import top

SAME = [
    (results.Entry, entries.Entry),
    (results.Change, top.Change),
    (results.LiveTop, top.Top),
    (results.Page, schema.Page),
    (results.Standing, schema.Standing),
    (results.Found, schema.StandingsResponse),
    (results.Event, schema.Event),
    (results.BatchApplied, schema.BatchApplied),
    (results.BatchRefused, schema.BatchRefused),
]


@pytest.mark.parametrize(("ours", "theirs"), SAME)
def test_a_result_has_the_fields_of_the_answer(ours: type[msgspec.Struct], theirs: type[msgspec.Struct]) -> None:
    assert ours.__struct_fields__ == theirs.__struct_fields__


def test_an_outcome_is_either_answer_to_an_update() -> None:
    accepted = set(schema.Accepted.__struct_fields__) - {"outcome"}  # the address of what `event` gives
    assert set(results.Outcome.__struct_fields__) == {*schema.Applied.__struct_fields__, *accepted, "replayed"}


@pytest.mark.parametrize("kind", [ours for ours, _ in SAME])
def test_results_cannot_be_changed(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen
