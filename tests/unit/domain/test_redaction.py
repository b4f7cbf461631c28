"""Redaction of URLs."""

import pytest

from scoreboard.domain.redaction import redact_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://db.example/x", "postgresql://db.example/x"),
        ("postgresql://u:s3cret@a:1,b:2/x?password=s3cret", "postgresql://(hidden)@a:1,b:2/x?(hidden)"),
        ("redis+sentinel://u:s3cret@a:1,[::1]:2/main/0", "redis+sentinel://(hidden)@a:1,[::1]:2/main/0"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("redis://:s3cret/@h", "(hidden)"),
        ("redis://u:12?s3cret@h", "(hidden)"),
        ("amqp://u:s3cret#@h/", "(hidden)"),
        ("s3cret", "(hidden)"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert redact_url(url) == shown
