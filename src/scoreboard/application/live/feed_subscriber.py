"""FeedSubscriber: open pages follow tables that other processes rank."""

import structlog

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.feed import Feed
from scoreboard.application.ports.ranking import NotRanked, Position, Ranking
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import TableKey

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0


class FeedSubscriber:
    """Word of a change comes by the feed, at once and not for sure; positions are compared every second, for sure."""

    def __init__(self, publish: Publisher, ranking: Ranking, feed: Feed) -> None:
        self._publish = publish
        self._ranking = ranking
        self._feed = feed
        self._seen: dict[TableKey, Position | None] = {}
        feed.listen(publish.table_changed)

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.debug("gateway_look_put_off", code=error.code)  # what is away was said where it was found
            except Exception:
                log.exception("gateway_look_failed")
            await self._publish.newly_shown(within_s=LOOK_EVERY_S)

    async def once(self) -> None:
        """Watch what is shown, and look again at what moved unheard. What is not ranked now is read from the totals,
        each time: they have no positions to compare."""
        shown = self._publish.shown()
        self._feed.watch(shown.keys())
        self._seen = {key: self._seen.get(key) for key in shown}
        for key, board in shown.items():
            try:
                position = await self._ranking.position(key, board)
            except NotRanked:
                position = None
            if position is None or position != self._seen[key]:
                self._seen[key] = position
                self._publish.table_changed(key)
