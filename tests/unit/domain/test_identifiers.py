import pytest

from scoreboard.domain import codes
from scoreboard.domain.errors import Invalid
from scoreboard.domain.identifiers import check_idempotency_key, check_player, check_slug, check_text


@pytest.mark.parametrize("slug", ["a", "0", "weekly-best_2", "a" * 50])
def test_a_valid_slug_is_accepted(slug: str) -> None:
    assert check_slug(slug, codes.INVALID_BOARD) == slug


@pytest.mark.parametrize("slug", ["", "-a", "_a", "A", "a b", "a/b", "é", "a" * 51, "a\n", "٣"])
def test_an_invalid_slug_is_refused_with_the_given_code(slug: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_slug(slug, codes.INVALID_BOARD)
    assert refusal.value.code == "invalid_board"


@pytest.mark.parametrize("player", ["p", "Ann Lee", "安", "😀" * 50, "x/y?z", "a" * 50])
def test_a_player_id_is_printable_in_any_script(player: str) -> None:
    assert check_player(player) == player


@pytest.mark.parametrize("player", ["", "a" * 51, "a\0", "a\n", "\u200b", "\ud800", "\u2028", "\x7f"])
def test_an_unprintable_or_long_player_id_is_refused(player: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_player(player)
    assert refusal.value.code == "invalid_player"


@pytest.mark.parametrize("text", ["", "abcd", "a\n"])
def test_a_text_is_printable_and_has_a_limit(text: str) -> None:
    assert check_text("abc", codes.INVALID_USERNAME, 3) == "abc"
    with pytest.raises(Invalid) as refusal:
        check_text(text, codes.INVALID_USERNAME, 3)
    assert refusal.value.code == "invalid_username"


@pytest.mark.parametrize("key", ["k", "!~", "x" * 255])
def test_an_idempotency_key_is_visible_ascii(key: str) -> None:
    assert check_idempotency_key(key) == key


@pytest.mark.parametrize("key", ["", " ", "a b", "a\n", "é", "x" * 256, "\x7f"])
def test_an_invalid_idempotency_key_is_refused(key: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_idempotency_key(key)
    assert refusal.value.code == "invalid_idempotency_key"
