"""Backend plugin without a server: SQLite in the data folder of one process."""

from contextlib import AsyncExitStack

from scoreboard.adapters.sqlite import database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.adapters.sqlite.outbox import SqliteOutbox
from scoreboard.application.ports.backend import BackendOptions, DatabaseBackend
from scoreboard.application.ports.clock import Clock

FILE = "scoreboard.db"


class SqlitePlugin:
    """The caller holds the lock of the data folder, and translates OSError and sqlite3.Error."""

    async def open(self, options: BackendOptions, clock: Clock, stack: AsyncExitStack) -> DatabaseBackend:
        store = await stack.enter_async_context(database.open_database(options.data / FILE))
        directory, outbox = SqliteDirectory(store), SqliteOutbox(store)
        ledger = SqliteLedger(store, outbox if options.events else None)
        await directory.start()
        await ledger.start()
        return DatabaseBackend(directory=directory, ledger=ledger, outbox=outbox)

    async def migrate(self, options: BackendOptions) -> list[str]:
        return database.migrate(options.data / FILE)
