"""The backends of the ports, chosen by URL. Whoever opens a thing closes it."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field

from scoreboard.adapters.jose.access import signing_key
from scoreboard.adapters.memory.limits import MemoryLimits
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.memory.turns import MemoryTurns
from scoreboard.adapters.sqlite import database as sqlite
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.adapters.sqlite.outbox import SqliteOutbox
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.feed import Feed
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.limits import Limits
from scoreboard.application.ports.outbox import Outbox
from scoreboard.application.ports.queue import Queue
from scoreboard.application.ports.ranking import Ranking, RankingCache
from scoreboard.application.ports.turns import Turns
from scoreboard.bootstrap.settings import Settings, SettingsError
from scoreboard.domain.board import MAX_TOP_N

DATABASE, KEY = "scoreboard.db", "token.key"
MIN_KEY_CHARS = 32
FEWEST_KEPT = 2 * MAX_TOP_N  # a table is filled up when half is left, which must have every live top N


class NotUsable(Exception):
    """What the service cannot begin without is not there, or not as it has to be; str() says what to do."""


Work = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Backends:
    """`reading` is the ranking to read from. Where there are such, `totals` is one that reads the ledger's totals, for
    who compares and needs no positions; `cache` is what need not keep everything, and `replica_lag_s` tells how far a
    replica is behind. `probes`, by the server's name, fail when it does not answer. `upkeep` is for every process to do
    as long as it runs, `jobs` (by name) for one at a time."""

    directory: Directory
    ledger: Ledger
    outbox: Outbox
    ranking: Ranking
    reading: Ranking
    limits: Limits
    turns: Turns
    key: bytes
    feed: Feed | None = None
    queue: Queue | None = None
    totals: Ranking | None = None
    cache: RankingCache | None = None
    replica_lag_s: Callable[[], float] | None = None
    probes: dict[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    upkeep: list[Work] = field(default_factory=list)
    jobs: dict[str, Work] = field(default_factory=dict)


async def opened(settings: Settings, clock: Clock, stack: AsyncExitStack, *, events: bool = False) -> Backends:
    """What the settings say. Where `events` are wanted, the ledger writes them down. Raises SettingsError where the
    settings do not fit together."""
    check(settings)
    if not settings.database_url:
        return await _embedded(settings, stack, events=events)
    with drivers():
        from scoreboard.bootstrap import distributed  # noqa: PLC0415 - what it needs is an extra
    return await distributed.opened(settings, clock, stack, events=events)


@contextmanager
def drivers() -> Iterator[None]:
    """What is imported here needs the drivers of the servers. Raises SettingsError where they are not installed."""
    try:
        yield
    except ImportError as error:
        raise SettingsError(f"{error.name} is not installed; install scoreboard[postgres,redis,rabbitmq]") from error


def check_schemes(settings: Settings) -> None:
    """Raises SettingsError for URLs that lead to no backend."""
    postgresql = ("postgresql://", "postgres://")
    for name, url, schemes in (
        ("database_url", settings.database_url, postgresql),
        ("database_replica_url", settings.database_replica_url, postgresql),
        ("ranking_url", settings.ranking_url, ("redis://", "rediss://", "unix://", "redis+", "rediss+")),
        ("queue_url", settings.queue_url, ("amqp://", "amqps://")),
    ):
        if url and not url.startswith(schemes):
            raise SettingsError(f"{name} begins with {' or '.join(schemes)}")  # the rest of it may be a secret


def check(settings: Settings) -> None:
    """Raises SettingsError for URLs that lead to no backend, or are not enough."""
    check_schemes(settings)
    if 0 < settings.ranking_keep < FEWEST_KEPT:
        raise SettingsError(f"ranking_keep is 0 for all, or at least {FEWEST_KEPT:,}")
    if settings.database_url and not settings.ranking_url:
        raise SettingsError("with a database_url give a ranking_url too: processes share the ranking (redis://…)")
    beside = settings.ranking_url or settings.queue_url or settings.database_replica_url
    if beside and not settings.database_url:
        raise SettingsError("ranking_url, queue_url and database_replica_url need a database_url (postgresql://…)")


def key_of(settings: Settings) -> bytes:
    """What tokens and cursors are signed with: the same in every process."""
    if not settings.signing_key:
        return signing_key(settings.data / KEY)
    if len(settings.signing_key) < MIN_KEY_CHARS:
        raise SettingsError(f"signing_key has at least {MIN_KEY_CHARS} characters; make one with: openssl rand -hex 32")
    return settings.signing_key.encode()


async def _embedded(settings: Settings, stack: AsyncExitStack, *, events: bool) -> Backends:
    """SQLite and in process."""
    store = await stack.enter_async_context(sqlite.opened(settings.data / DATABASE))
    outbox = SqliteOutbox(store)
    directory, ledger = SqliteDirectory(store), SqliteLedger(store, outbox if events else None)
    await directory.start()
    await ledger.start()
    ranking = MemoryRanking(ledger.standings, secrets.token_hex(6))
    return Backends(directory, ledger, outbox, ranking, ranking, MemoryLimits(), MemoryTurns(), key_of(settings))


def queue_keys(settings: Settings, key: bytes) -> list[bytes]:
    """Messages are sealed with the first, and opened with any."""
    given = [part.strip() for part in settings.queue_keys.split(",") if part.strip()]
    if any(len(part) < MIN_KEY_CHARS for part in given):
        raise SettingsError(f"each of queue_keys has at least {MIN_KEY_CHARS} characters")
    return [part.encode() for part in given] or [hashlib.blake2b(b"queue", key=key[:64]).digest()]
