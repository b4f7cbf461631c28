"""Season turns: at a boundary every board that follows the current season is shown the new one."""

import asyncio

from scoreboard.application.pipeline.publish import Publish
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.domain.season import season_at

LOOK_EVERY_S = 1.0


async def turn_seasons(directory: Directory, publish: Publish, clock: Clock) -> None:
    """For ever. Which season an update belongs to does not depend on this: its `accepted_at` decides. A turn that was
    missed, because the process was down, needs nothing either."""
    seen: dict[int, str] = {}
    while True:
        now = clock()
        for app in await directory.apps():
            for board in await directory.boards(app):
                if board.period == "all_time":
                    continue
                season = season_at(board.period, board.time_zone, now).name
                if seen.setdefault(board.number, season) != season:
                    seen[board.number] = season
                    publish.board_changed(board.number)
        await asyncio.sleep(LOOK_EVERY_S)
