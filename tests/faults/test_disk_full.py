"""A full disk: updates get 503, reads continue, and updates resume with the space."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.client import Client
from harness.missing import missing
from harness.service import Running, running
from harness.waiting import eventually
from scoreboard.application.upkeep.verify import verify
from tests.faults.held import database_of

pytestmark = pytest.mark.slow

MEBIBYTE = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "none", disk], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        missing(f"needs the right to mount: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> Path:
    """Fill all free space."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (MEBIBYTE, 4_096):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return ballast


async def send(server: Client, board: str, number: int) -> int:
    """Send one update under its key. Return 200, or 503 with the code for a full disk."""
    body = {"player": f"p{number % 50}", "increment": 1, "metadata": "x" * 2_000}
    answer = await server.post(f"{board}/scores", body, Idempotency_Key=f"k-{number}")
    if answer.status != 200:
        answer.refused(503, "storage_full")
        assert int(answer.headers["Retry-After"]) >= 1
    return answer.status


async def test_a_full_disk_costs_no_update_and_no_read(small_disk: Path) -> None:
    data = small_disk / "data"
    async with running(data) as service:
        board = await service.board()
        server = service.client("server", "game")
        counted, number = 0, 0
        for _ in range(20):
            assert await send(server, board, number) == 200
            number += 1
        for _ in range(2):  # full, freed, and full again
            ballast = fill(small_disk)
            while await send(server, board, number) == 200:
                number += 1
            for later in range(number, number + 3):
                assert await send(server, board, later) == 503
            page = (await service.anybody.get(f"{board}/top?limit=100")).ok()
            assert sum(entry["score"] for entry in page["entries"]) == number
            (await service.anybody.get(f"{board}/players/p1/around")).ok()
            (await service.operator.post("/v1/apps", {"app": "more"})).refused(503, "storage_full")
            (await service.operator.get("/v1/apps/more")).refused(404, "app_not_found")
            ballast.unlink()
            counted = number

            async def counts(retried: int = number) -> bool:
                return await send(server, board, retried) == 200

            await eventually(counts, "updates succeed when there is space")
            for later in range(number + 1, number + 20):
                assert await send(server, board, later) == 200
            number += 20
        assert counted
        await sound(service, number)
    async with running(data) as service:
        await sound(service, number)


async def sound(service: Running, counted: int) -> None:
    its = service.service
    report = await verify(its.ledger, its.ranking, await its.directory.board("game", "main"))
    assert report.differences == []
    assert report.entries == counted
    check = await database_of(service).read(lambda c: c.execute("PRAGMA integrity_check").fetchall())
    assert check == [("ok",)]
