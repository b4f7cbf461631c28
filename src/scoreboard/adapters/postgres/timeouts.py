"""The time-outs of PostgreSQL."""

from dataclasses import dataclass

from scoreboard.application.ports.timeouts import Timeouts


@dataclass(frozen=True, slots=True)
class PostgresTimeouts(Timeouts):
    """The time-outs of a database and its replica, in seconds."""

    connect_s: float = 3.0
    acquire_s: float = 5.0  # for a free or a new connection
    statement_s: float = 10.0
    lock_s: float = 5.0
    idle_in_transaction_s: float = 30.0  # A hanging process releases its locks after this time.
    command_s: float = 15.0  # for a response; longer than `statement_s`, which the server may be unable to report
    transaction_s: float = 8.0  # from BEGIN to the response to COMMIT; longer than `lock_s`
    row_s: float = 2.0  # for rows that are found by their keys while a client waits
    unresponsive_s: float = 1.0  # for any response, from a timeout until the server responds again
    inspect_s: float = 5.0
    ping_s: float = 5.0  # of the leader; shorter than the keepalives by which the server detects a lost client
    reach_s: float = 1.0  # for a connection to the replica
    catch_up_s: float = 1.0  # to replay what the primary has; a slower replica is not used until the next check
    check_s: float = 2.5  # of the replica


DEFAULTS = PostgresTimeouts()
