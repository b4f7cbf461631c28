import socket

import pytest

from scoreboard.domain.errors import describe_error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "it does not answer"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 5432)"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "there is no such host"),
        (OSError("no more words"), "no more words"),
        (EOFError(), "EOFError"),
    ],
)
def test_why_is_always_told(error: Exception, words: str) -> None:
    assert describe_error(error) == words
