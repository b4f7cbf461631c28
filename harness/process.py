"""A role of the service in a separate process."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.ports import free_port
from harness.service import HOUR_S, settings
from harness.waiting import BOUND_S, eventually
from scoreboard.application.ports.authentication import Role
from scoreboard.bootstrap import tokens


class Process:
    """`scoreboard serve`, or another role, in a separate process.

    `program` may name another program; it takes the role as its last argument, then the options.
    """

    def __init__(
        self, data: Path, port: int, role: str = "serve", program: Sequence[str | Path] = (), **environment: str
    ) -> None:
        self.data = data
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = (data.parent / f"{data.name}.log").open("ab")
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SCOREBOARD_")}
        self._process = subprocess.Popen(
            [*(program or (Path(sys.executable).with_name("scoreboard"),)), role, "--data", data, "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**plain, **environment},
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    async def ready(self) -> "Process":
        """Wait until the process accepts requests."""

        def is_ready() -> bool:
            assert self._process.poll() is None, f"it ended: {self.log[-2_000:]}"
            try:
                with urllib.request.urlopen(f"{self.url}/health/ready", timeout=BOUND_S) as answer:  # noqa: S310 - our own server
                    return bool(answer.status == 200)
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                if isinstance(error, urllib.error.HTTPError):
                    error.close()
                return False

        await eventually(lambda: asyncio.to_thread(is_ready), "the process is ready")
        return self

    def kill(self) -> None:
        """Kill the process with SIGKILL and wait for its end."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def terminate(self) -> None:
        """Send SIGTERM; `ended` waits for the end."""
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait for the end and return the exit status."""
        status = await asyncio.to_thread(self._process.wait, 2 * BOUND_S)
        self._log.close()
        return status

    def mint(self, role: Role, app: str, subject: str = "somebody") -> str:
        return tokens.issue(settings(self.data), role=role, app=app, subject=subject, ttl_s=HOUR_S)


@contextmanager
def process(
    data: Path,
    *,
    port: int | None = None,
    role: str = "serve",
    program: Sequence[str | Path] = (),
    **environment: str,
) -> Iterator[Process]:
    """Run a process and kill it at the end of the test."""
    started = Process(data, port or free_port(), role, program, **environment)
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
