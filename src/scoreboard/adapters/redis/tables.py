"""Calls of the table scripts, with a circuit breaker for each server."""

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

STANDINGS_A_CALL = 1_000  # Lua's `unpack` takes a few thousand values

READY, ABSENT, CLAIMED, OUT_OF_RANGE = b"ready", b"absent", b"claimed", b"out_of_range"  # states that scripts return

_PARTS = (":order", ":held", ":meta", ":gone", ":gone_at", ":scores", ":counts", ":pending")  # KEYS of lua/table.lua
_REMOVED_PLAYERS = {":gone", ":gone_at"}  # the parts that lua/drop.lua keeps


def _script(name: str) -> Script:
    return Script("table.lua", name)


APPLY = _script("apply.lua")
REMOVE = _script("remove.lua")
CLAIM = _script("claim.lua")
FINISH = _script("finish.lua")
DROP = _script("drop.lua")
SLICE = _script("slice.lua")
RANKS = _script("ranks.lua")
COUNT = _script("count.lua")


class Tables:
    """Tables in Redis, as scripts that are called with a table's keys.

    A call raises Unavailable when its server fails; its outcome is unknown then. For a while after that, calls to this
    server fail at once.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._breakers: dict[str, Breaker] = defaultdict(Breaker)  # by server, so that the others stay usable

    async def call(self, script: Script, key: TableKey, *arguments: str | bytes | int) -> Any:
        name = keys.of(key)
        breaker = self._breakers[self._server(name)]
        if not breaker.admits():
            raise _unavailable()
        try:
            reply = await script(self._client, [name + part for part in _PARTS], arguments)
        except FAILURES as error:
            if breaker.failed():
                log.warning("ranking_unavailable", error=str(error))
            raise _unavailable() from error
        breaker.succeeded()
        return reply

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
        """Call apply.lua with at most STANDINGS_A_CALL standings, and return its reply.

        Only the builder of the table passes `epoch` and `lease_ms`.
        """
        value = Encoding(board).value
        pairs = ((encoding.player(player), value(standing)) for player, standing in standings.items())
        rules = board.top_n, int(place), keys.changed(key), epoch, lease_ms, keep, int(proven)
        reply: list[Any] = await self.call(APPLY, key, *rules, *chain.from_iterable(pairs))
        return reply

    async def of(self, board: int) -> Sequence[TableKey]:
        """Return a board's tables; one that appears during the call may be missing."""
        return await self._scan(f"sb:{{{board}:*")

    async def all(self) -> Sequence[TableKey]:
        """Return all tables; one that appears during the call may be missing."""
        return await self._scan("sb:{*}:meta")

    async def _scan(self, pattern: str) -> Sequence[TableKey]:
        found = set()
        try:
            async for name in self._client.scan_iter(match=pattern, count=1_000):
                table, _, part = name.decode().rpartition(":")
                key = keys.table_of(f"{table}:changed")
                if key is not None and f":{part}" not in _REMOVED_PLAYERS:
                    found.add(key)
        except FAILURES as error:
            raise _unavailable() from error
        return sorted(found)

    def _server(self, name: str) -> str:
        """Return the server of these keys, or '' if it is the only one or not yet known."""
        if not isinstance(self._client, RedisCluster):
            return ""
        try:
            node = self._client.get_node_from_key(name)
        except (RedisClusterException, LookupError):
            return ""
        return "" if node is None else node.name


def chunks(standings: Collection[tuple[str, Standing]]) -> Iterator[list[tuple[str, Standing]]]:
    """Yield the standings in chunks of the size of a call."""
    rest = iter(standings)
    while chunk := list(islice(rest, STANDINGS_A_CALL)):
        yield chunk


def _unavailable() -> Unavailable:
    return codes.RANKING_UNAVAILABLE.error(
        "the ranking is unreachable; updates are saved and appear later", retry_after_s=1
    )
