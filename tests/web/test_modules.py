"""The modules of the page and of the client that need no service and no browser, tested by Node's own runner."""

from pathlib import Path

from tests.web.node import CLIENT, passes


def test_the_modules_of_the_page_pass_their_own_tests() -> None:
    passes(*sorted(Path(__file__).parent.glob("*.test.mjs")))


def test_the_connection_and_the_requests_of_the_client_pass_their_own_tests() -> None:
    passes(CLIENT / "test" / "connection.test.js", CLIENT / "test" / "request.test.js")
