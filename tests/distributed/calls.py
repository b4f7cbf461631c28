"""Requests to processes that share their servers, and checks of them."""

from typing import Any

from harness.client import Answer
from harness.service import Running
from harness.waiting import eventually
from scoreboard.application.upkeep.verify import verify


async def top(service: Running, board: str, query: str = "") -> list[tuple[int, str, int]]:
    entries = (await service.anybody.get(f"{board}/top{query}")).ok()["entries"]
    return [(entry["rank"], entry["player"], entry["score"]) for entry in entries]


async def update(service: Running, board: str, player: str, increment: int, **headers: str) -> Answer:
    body = {"player": player, "increment": increment}
    return await service.client("server", "game").post(f"{board}/scores", body, **headers)


async def score(service: Running, board: str, player: str, value: int) -> Any:
    """Send a value to a board of best or latest scores. Return the new score."""
    body = {"player": player, "score": value}
    return (await service.client("server", "game").post(f"{board}/scores", body)).ok()["score"]


async def propagated(board: str, *services: Running) -> None:
    """Wait until all processes have the board that one of them created."""

    async def everywhere() -> bool:
        return all([(await one.operator.get(board)).status == 200 for one in services])

    await eventually(everywhere, "every process has the board")


async def differences(service: Running, board: str = "main") -> list[str]:
    """Return the differences between the folded ledger, the totals and the ranking."""
    inside = service.service
    return (await verify(inside.ledger, inside.ranking, await inside.directory.board("game", board))).differences
