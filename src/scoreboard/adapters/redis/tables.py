"""The scripts that work on one table, and whether it is worth calling them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import structlog
from redis.asyncio import RedisCluster
from redis.exceptions import RedisClusterException

from scoreboard.adapters.redis import encoding, keys
from scoreboard.adapters.redis.breaker import Breaker
from scoreboard.adapters.redis.connection import FAILURES, Client
from scoreboard.adapters.redis.encoding import Encoding
from scoreboard.adapters.redis.script import Script
from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

log = structlog.get_logger(__name__)

A_CALL = 1_000  # standings: Lua's `unpack` takes a few thousand values

READY, ABSENT, CLAIMED, OUT_OF_RANGE = b"ready", b"absent", b"claimed", b"out_of_range"  # what scripts say of a table

_PARTS = (":order", ":held", ":meta", ":gone", ":gone_at", ":scores", ":counts", ":pending")  # as lua/table.lua says
_KEPT_IN_FORGETTING = {":gone", ":gone_at"}


def _script(name: str) -> Script:
    return Script("table.lua", name)


APPLY = _script("apply.lua")
REMOVE = _script("remove.lua")
CLAIM = _script("claim.lua")
FINISH = _script("finish.lua")
DROP = _script("drop.lua")
SLICE = _script("slice.lua")
DETAILS = _script("details.lua")
COUNT = _script("count.lua")


class Tables:
    """A call raises Unavailable when its server fails, and at once for a while after; its outcome may be unknown."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._breakers: dict[str, Breaker] = defaultdict(Breaker)  # by server: one that fails stops no other

    async def call(self, script: Script, key: TableKey, *arguments: str | bytes | int) -> Any:
        name = keys.of(key)
        breaker = self._breakers[self._server(name)]
        if not breaker.admits():
            raise _unavailable()
        try:
            told = await script(self._client, [name + part for part in _PARTS], arguments)
        except FAILURES as error:
            if breaker.failed():
                log.warning("ranking_unavailable", error=str(error))
            raise _unavailable() from error
        breaker.succeeded()
        return told

    async def apply(
        self,
        key: TableKey,
        board: Board,
        standings: Mapping[str, Standing],
        keep: int,
        *,
        place: bool = False,
        proven: bool = False,
        epoch: str = "",
        lease_ms: int = 0,
    ) -> list[Any]:
        """What apply.lua tells of at most A_CALL standings. The epoch and its lease are the builder's."""
        value = Encoding(board).value
        pairs = ((encoding.player(player), value(standing)) for player, standing in standings.items())
        rules = board.top_n, int(place), keys.changed(key), epoch, lease_ms, keep, int(proven)
        answer: list[Any] = await self.call(APPLY, key, *rules, *chain.from_iterable(pairs))
        return answer

    async def of(self, board: int) -> Sequence[TableKey]:
        """The tables of a board of which there is anything to forget; those that come meanwhile may be among them."""
        return await self._named(f"sb:{{{board}:*")

    async def all(self) -> Sequence[TableKey]:
        """The tables that are there, or being made; those that come or go meanwhile may be among them."""
        return await self._named("sb:{*}:meta")

    async def _named(self, pattern: str) -> Sequence[TableKey]:
        found = set()
        try:
            async for name in self._client.scan_iter(match=pattern, count=1_000):
                table, _, part = name.decode().rpartition(":")
                key = keys.table_of(f"{table}:changed")
                if key is not None and f":{part}" not in _KEPT_IN_FORGETTING:
                    found.add(key)
        except FAILURES as error:
            raise _unavailable() from error
        return sorted(found)

    def _server(self, name: str) -> str:
        """The server that has the keys of this name, as far as is known."""
        if not isinstance(self._client, RedisCluster):
            return ""
        try:
            node = self._client.get_node_from_key(name)
        except (RedisClusterException, LookupError):
            return ""
        return "" if node is None else node.name


def chunks(
    standings: Collection[tuple[str, Standing]],
) -> Iterator[list[tuple[str, Standing]]]:
    """As many as a call takes at a time."""
    rest = iter(standings)
    while chunk := list(islice(rest, A_CALL)):
        yield chunk


def _unavailable() -> Unavailable:
    return codes.RANKING_UNAVAILABLE.error("the ranking is away; it catches up when it is back", retry_after_s=1)
