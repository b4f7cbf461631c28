import uuid

import pytest

from scoreboard.domain import event_id
from scoreboard.domain.errors import Invalid
from tests.making import NOON

MAX_RANDOMNESS = 2**event_id.RANDOM_BITS - 1


@pytest.mark.parametrize("at", [0, 1, 999, 1_000, NOON, NOON + 999_999])
@pytest.mark.parametrize("randomness", [0, MAX_RANDOMNESS])
def test_an_id_contains_its_microsecond(at: int, randomness: int) -> None:
    assert event_id.accepted_at(event_id.make(at, randomness)) == at


@pytest.mark.parametrize("randomness", [0, MAX_RANDOMNESS])
def test_an_id_is_a_uuid_of_version_7(randomness: int) -> None:
    event = uuid.UUID(bytes=event_id.make(NOON, randomness))
    assert (event.version, event.variant) == (7, uuid.RFC_4122)


def test_the_text_of_an_id_is_that_of_its_uuid_and_can_be_parsed() -> None:
    event = event_id.make(NOON, 12_345)
    text = event_id.to_text(event)
    assert text == str(uuid.UUID(bytes=event))
    assert event_id.from_text(text) == event_id.from_text(text.upper()) == event


@pytest.mark.parametrize("step", [1, 999, 1_000, 1_000_000])
def test_ids_sort_by_time_with_any_random_bits(step: int) -> None:
    assert event_id.make(NOON, MAX_RANDOMNESS) < event_id.make(NOON + step, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no id",
        "019eb39e-c800-7000-8000-00000000000",
        "019eb39e-c800-7000-8000-0000000000000",
        "019eb39ec80070008000000000000000",
        "{019eb39e-c800-7000-8000-000000000000}",
        " 019eb39e-c800-7000-8000-000000000000",
        "019eb39e-c800-7000-8000-00000000000g",
        "01 9eb39e-c800-7000-8000-000000000000",
        "019eb39e-c800-4000-8000-000000000000",
        "\u0660\u0661\u0669eb39e-c800-7000-8000-000000000000",
    ],
)
def test_an_invalid_text_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        event_id.from_text(text)
    assert refusal.value.code == "invalid_event"


@pytest.mark.parametrize("variant", ["0", "7", "c", "f"])
def test_an_id_of_another_variant_is_refused(variant: str) -> None:
    with pytest.raises(Invalid):
        event_id.from_text(f"019eb39e-c800-7000-{variant}000-000000000000")
