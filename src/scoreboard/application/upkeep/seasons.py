"""Season turns: at a boundary every page that follows the current season is shown the new one."""

import asyncio

from scoreboard.application.live.publisher import Publisher

LOOK_EVERY_S = 1.0


async def turn_seasons(publish: Publisher) -> None:
    """For ever. Which season an update belongs to does not depend on this: its `accepted_at` decides. A turn that was
    missed, because the process was down, needs nothing either."""
    while True:
        publish.seasons_turned()
        await asyncio.sleep(LOOK_EVERY_S)
