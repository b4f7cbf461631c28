import pytest

from scoreboard.application.live.origins import Origins

SHOP, EVIL = "https://shop.example", "https://evil.example"


def test_pages_of_listed_origins_may_read() -> None:
    origins = Origins([SHOP, "http://localhost:3000"])
    assert origins.header(SHOP) == SHOP
    assert origins.header("http://localhost:3000") == "http://localhost:3000"


@pytest.mark.parametrize(
    "other", [EVIL, "http://shop.example", "https://shop.example:8443", f"{SHOP}.evil.example", "null", "", "*"]
)
def test_an_origin_is_allowed_only_with_its_scheme_host_and_port(other: str) -> None:
    origins = Origins([SHOP])
    assert origins.header(other) is None
    assert not origins.may_connect(other, "board.example")


def test_a_star_allows_every_origin() -> None:
    origins = Origins(["*"])
    assert origins.header(EVIL) == "*"
    assert origins.may_connect(EVIL, "board.example")


def test_responses_vary_by_origin_only_if_origins_are_allowed() -> None:
    assert Origins([SHOP]).any
    assert Origins(["*"]).any
    assert not Origins([]).any


@pytest.mark.parametrize("allowed", [[], [SHOP]])
def test_programs_and_own_pages_may_always_connect(allowed: list[str]) -> None:
    origins = Origins(allowed)
    assert origins.may_connect(None, "board.example")
    assert origins.may_connect("https://board.example", "board.example")
    assert origins.may_connect("http://127.0.0.1:8000", "127.0.0.1:8000")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://board.example:444", "board.example"),
        ("null", None),
        ("null", ""),
        ("http://", ""),
        ("ftp://board.example", "board.example"),
        ("http://board.example/x", "board.example"),
        ("//board.example", "board.example"),
        ("http://[", "board.example"),
        ("http://a]b", "board.example"),
        ("http://\u2100.com", "board.example"),
        (EVIL, "board.example"),
    ],
)
def test_a_page_of_another_host_or_port_may_not_connect(origin: str, host: str | None) -> None:
    assert not Origins([SHOP]).may_connect(origin, host)


def test_a_page_of_a_listed_origin_may_connect() -> None:
    assert Origins([SHOP]).may_connect(SHOP, "board.example")
