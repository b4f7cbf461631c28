"""Server that responds to a replay as a test prescribes, and records the updates."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

APPLIED = {"score": 1, "previous_score": None, "changed": True, "replayed": False}
Step = Literal["apply", "hang up", "busy", "down", "broken"]


class Scripted:
    """Script of a server, whose `steps` prescribe the outcome of each batch in turn.

    After the steps, every batch is applied.
    """

    def __init__(self, operator: str, steps: list[Step]) -> None:
        self.operator = operator
        self.steps = steps
        self.batches: list[list[dict[str, Any]]] = []
        self.tokens: set[str] = set()
        self.url = ""

    def board(self) -> dict[str, str]:
        return {"board": "main", "operator": self.operator}

    def apply(self, updates: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the response that applies all updates but those of the player `nobody`."""
        results = [
            {"status": "refused", "code": "out_of_bounds", "detail": "too much", "player": update["player"]}
            if update["player"] == "nobody"
            else {"status": "applied", "event": "e", "player": update["player"], **APPLIED}
            for update in updates
        ]
        applied = sum(result["status"] == "applied" for result in results)
        return {"applied": applied, "refused": len(results) - applied, "results": results}


@contextmanager
def scripted(*steps: Step, operator: str = "increment") -> Iterator[Scripted]:
    """Run a server until the block ends."""
    script = Scripted(operator, list(steps))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            script.tokens.add(self.headers["Authorization"])
            self._send(200, script.board())

        def do_POST(self) -> None:
            updates = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["updates"]
            script.batches.append(updates)
            step = script.steps.pop(0) if script.steps else "apply"
            if step == "apply":
                self._send(200, script.apply(updates))
            elif step == "busy":
                self._send(429, {"code": "rate_limited", "detail": "too fast"}, retry_after="1")
            elif step == "down":
                self._send(503, {"code": "overloaded", "detail": "try again"}, retry_after="0")
            elif step == "broken":
                self._send(403, {"code": "server_only", "detail": "a batch requires the token of a server or admin"})
            else:
                self.close_connection = True

        def _send(self, status: int, body: object, retry_after: str | None = None) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            if retry_after is not None:
                self.send_header("Retry-After", retry_after)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    return Handler
