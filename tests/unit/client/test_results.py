"""Result types of the client, compared with the response types of the server."""

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
def test_result_has_the_fields_of_the_response(ours: type[msgspec.Struct], theirs: type[msgspec.Struct]) -> None:
    assert ours.__struct_fields__ == theirs.__struct_fields__


def test_outcome_has_the_fields_of_both_responses() -> None:
    accepted = set(schema.Accepted.__struct_fields__) - {"outcome"}  # the address of what `event` gives
    assert set(results.Outcome.__struct_fields__) == {*schema.Applied.__struct_fields__, *accepted, "replayed"}


@pytest.mark.parametrize("kind", [ours for ours, _ in SAME])
def test_results_are_frozen(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen
