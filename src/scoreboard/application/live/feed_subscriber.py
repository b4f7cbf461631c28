"""FeedSubscriber: refresh open pages of tables that other processes rank."""

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.feed import Feed
from scoreboard.application.ports.ranking import NotRanked, Position, Ranking
from scoreboard.domain.submission import TableKey


class FeedSubscriber:
    """The subscriber to a feed, which compares positions as the feed may lose changes."""

    def __init__(self, publisher: Publisher, ranking: Ranking, feed: Feed, period_s: float) -> None:
        self._publisher = publisher
        self._ranking = ranking
        self._feed = feed
        self._period_s = period_s
        self._seen: dict[TableKey, Position | None] = {}
        feed.listen(publisher.table_changed)

    async def follow(self) -> None:
        """Wait for a newly watched table or the end of the period, then compare positions."""
        await self._publisher.newly_watched(within_s=self._period_s)
        await self.compare()

    async def compare(self) -> None:
        """Subscribe to the watched tables, and publish those whose position has changed.

        A table that is not ranked is published each time, because the totals have no position.
        """
        watched = self._publisher.watched_tables()
        self._feed.watch(watched.keys())
        self._seen = {key: self._seen.get(key) for key in watched}
        for key, board in watched.items():
            try:
                position = await self._ranking.position(key, board)
            except NotRanked:
                position = None
            if position is None or position != self._seen[key]:
                self._seen[key] = position
                self._publisher.table_changed(key)
