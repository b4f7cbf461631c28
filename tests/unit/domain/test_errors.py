import socket

import pytest

from scoreboard.domain.errors import describe_error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError(), "it does not answer"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 5432)"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "there is no such host"),
        (OSError("out of memory"), "out of memory"),
        (EOFError(), "EOFError"),
    ],
)
def test_every_error_has_a_description(error: Exception, text: str) -> None:
    assert describe_error(error) == text
