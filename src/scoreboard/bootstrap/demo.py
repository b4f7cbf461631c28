"""The demo: an app with two boards, and simulated players who update them."""

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
    """Create the app with its boards, actions and players, where they are missing.

    An earlier start may have been interrupted. The main board is created last: once it exists, nothing is missing.
    """
    tenants, operator = service.tenants, principal_of("admin", ALL_APPS, "demo")
    await _if_absent(tenants.create_app(operator, APP, "Demo", "UTC"))
    app = await tenants.open(operator, APP)
    if any(board.slug == BOARD for board in await tenants.boards(app)):
        return
    for action, points in POINTS.items():
        await _if_absent(tenants.create_action(Action(0, app, action, points)))
    for number, name in enumerate(NAMES):
        await _if_absent(tenants.create_player(app, name.lower(), name, {"region": REGIONS[number % len(REGIONS)]}))
    await _if_absent(tenants.create_board(app, WEEKLY, {"name": "This week", "period": "weekly", "regions": REGIONS}))
    await _if_absent(tenants.create_board(app, BOARD, {"name": "Demo board"}))


async def _if_absent(creation: Awaitable[object]) -> None:
    with contextlib.suppress(Conflict):
        await creation


async def play(service: Service) -> None:
    """Send updates of random players until cancelled."""
    chance = random.Random()  # noqa: S311 - a game
    players = principal_of("server", APP, "demo")
    while True:
        await asyncio.sleep(chance.expovariate(1 / PAUSE_S))
        player, action = chance.choice(NAMES).lower(), chance.choice(list(POINTS))
        try:
            for board in (BOARD, WEEKLY):
                await service.submit.one(players, APP, board, UpdateRequest(b"", player=player, action=action))
        except ScoreboardError:  # the demo board may be deleted: not worth logging
            await asyncio.sleep(1)
