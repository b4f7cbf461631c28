"""Backends that another distribution could add: embedded ones, opened by a URL."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

from scoreboard.adapters.memory.plugin import MemoryPlugin
from scoreboard.adapters.sqlite.plugin import SqlitePlugin
from scoreboard.application.ports.backend import BackendOptions, DatabaseBackend, RankingBackend
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.domain import codes


class _Server:
    name = "added"

    def check_url(self, url: str) -> None:
        if "wrong" in url:
            raise ValueError("it is not like added://host")

    async def diagnose(self, options: BackendOptions) -> AsyncIterator[Finding]:
        yield Finding(self.name, "ok", "it answers")

    def remedy(self, error: BaseException | None, options: BackendOptions) -> str:
        return "start it"


class AddedDatabase(_Server, SqlitePlugin):
    name = "added-database"


class AddedRanking(_Server, MemoryPlugin):
    name = "added-ranking"

    async def open(
        self, options: BackendOptions, database: DatabaseBackend, clock: Clock, stack: AsyncExitStack
    ) -> RankingBackend:
        backend = await super().open(options, database, clock, stack)
        return replace(backend, pings={self.name: self._answer})

    async def diagnose(self, options: BackendOptions) -> AsyncIterator[Finding]:
        if "down" in options.ranking_url:
            raise codes.RANKING_UNAVAILABLE.error("it does not answer")
        yield Finding(self.name, "ok", "it answers")

    async def _answer(self) -> None:
        """Answer every ping."""
