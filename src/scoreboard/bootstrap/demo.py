"""The demo: an app with two boards, and simulated players who keep them moving. They go the way of every update."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable

from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.authentication import ALL_APPS
from scoreboard.application.updates.requests import UpdateRequest
from scoreboard.bootstrap.lifecycle import Service
from scoreboard.domain.board import Action
from scoreboard.domain.errors import Conflict, ScoreboardError

APP, BOARD, WEEKLY = "demo", "main", "week"
REGIONS = ("africa", "americas", "asia", "europe")
NAMES = (
    "Ada", "Bruno", "Chidi", "Dilnoza", "Elif", "Farid", "Greta", "Hana", "Ines", "Jonas", "Kwame", "Lucía",
    "Mateo", "Nadia", "Omar", "Priya", "Quentin", "Rosa", "Søren", "Tariq", "Uma", "Vera", "Wen", "Ximena", "Yuki",
    "Zoë",
)  # fmt: skip
PAUSE_S = 0.4  # between two updates, on average
POINTS = {"quest": 25, "duel": 10, "coin": 1}


async def prepare(service: Service) -> None:
    """The app, its boards, actions and players, each where it is not there yet: a start may have been cut short. The
    moving board is made last, and an app that has it is left alone."""
    tenants, operator = service.tenants, principal_of("admin", ALL_APPS, "demo")
    await _made(tenants.create_app(operator, APP, "Demo", "UTC"))
    app = await tenants.open(operator, APP)
    if any(board.slug == BOARD for board in await tenants.boards(app)):
        return
    for action, points in POINTS.items():
        await _made(tenants.create_action(Action(0, app, action, points)))
    for place, name in enumerate(NAMES):
        await _made(tenants.create_player(app, name.lower(), name, {"region": REGIONS[place % len(REGIONS)]}))
    await _made(tenants.create_board(app, WEEKLY, {"name": "This week", "period": "weekly", "regions": REGIONS}))
    await _made(tenants.create_board(app, BOARD, {"name": "Demo board"}))


async def _made(making: Awaitable[object]) -> None:
    with contextlib.suppress(Conflict):
        await making


async def play(service: Service) -> None:
    """For ever: somebody does something."""
    chance = random.Random()  # noqa: S311 - a game
    players = principal_of("server", APP, "demo")
    while True:
        await asyncio.sleep(chance.expovariate(1 / PAUSE_S))
        player, action = chance.choice(NAMES).lower(), chance.choice(list(POINTS))
        try:
            for board in (BOARD, WEEKLY):
                await service.submit.one(players, APP, board, UpdateRequest(b"", player=player, action=action))
        except ScoreboardError:
            await asyncio.sleep(1)  # a demo whose board was deleted is not worth a word
