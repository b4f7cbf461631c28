"""Node tests of the modules that need neither a service nor a browser."""

from pathlib import Path

from tests.web.node import CLIENT, run_node_tests


def test_modules_of_the_page() -> None:
    run_node_tests(*sorted(Path(__file__).parent.glob("*.test.mjs")))


def test_connection_and_requests_of_the_client() -> None:
    run_node_tests(CLIENT / "test" / "connection.test.js", CLIENT / "test" / "request.test.js")
