"""Facts about a broker, read without changing it."""

import asyncio
import shlex
from dataclasses import dataclass
from typing import Literal, TypeAlias

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed, ProbableAuthenticationError
from aiormq.exceptions import ChannelAccessRefused, ConnectionInternalError, ConnectionNotImplemented
from yarl import URL

from scoreboard.adapters.rabbitmq.reconnecting import FAILURES, connect, describe_error, is_vhost_error
from scoreboard.adapters.rabbitmq.timeouts import DEFAULTS, RabbitTimeouts
from scoreboard.adapters.rabbitmq.topology import Topology
from scoreboard.domain import codes

NOTICE_S = 0.25  # in which a broker that is out of memory or disk reports that to a publisher

Missing: TypeAlias = Literal["", "quorum queues", "permissions"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """The state of a broker and its queues.

    `blocked` states whether the broker accepts no messages, because it lacks memory or disk. `declared` states whether
    the queues exist. If they do not, `missing` is the obstacle to their creation. `consumers` counts the processes that
    consume them.
    """

    version: str
    blocked: bool
    declared: bool
    dead_letters: int = 0
    consumers: int = 0
    missing: Missing = ""


async def inspect(url: str, topology: Topology, timeouts: RabbitTimeouts = DEFAULTS) -> Inspection:
    """Inspect a broker. Raise Unavailable, with the reason but without a password."""
    try:
        async with await connect(url, "doctor", timeouts.connect_s) as connection:
            version, blocked = _version(connection), await _is_blocked(connection)
            try:
                async with connection.channel() as channel:
                    dead = await channel.declare_queue(topology.dead, passive=True, timeout=timeouts.inspect_s)
                    takers = await channel.declare_queue(topology.takers, passive=True, timeout=timeouts.inspect_s)
            except ChannelNotFoundEntity:
                missing = await _find_missing(url, topology, timeouts)
                return Inspection(version, blocked, declared=False, missing=missing)
            counts = dead.declaration_result.message_count or 0, takers.declaration_result.consumer_count or 0
            return Inspection(version, blocked, True, *counts)
    except FAILURES as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise codes.QUEUE_UNAVAILABLE.error(describe_error(error)) from error


async def _find_missing(url: str, topology: Topology, timeouts: RabbitTimeouts) -> Missing:
    """Declare and delete a similar queue. The broker may close the connection."""
    async with await connect(url, "doctor", timeouts.connect_s) as connection:
        try:
            async with connection.channel() as channel:
                queue = await channel.declare_queue(
                    f"{topology.exchange}.doctor",
                    durable=True,
                    arguments={"x-queue-type": "quorum"},
                    timeout=timeouts.inspect_s,
                )
                await queue.delete(if_unused=False, if_empty=False, timeout=timeouts.inspect_s)
        except ChannelAccessRefused:
            return "permissions"
        except (ChannelPreconditionFailed, ConnectionInternalError, ConnectionNotImplemented):
            return "quorum queues"
    return ""


def _version(connection: AbstractConnection) -> str:
    assert connection.transport is not None, "it is open"  # noqa: S101 - for mypy
    properties = connection.transport.connection.server_properties
    return str(properties.get("version", "unknown"))


async def _is_blocked(connection: AbstractConnection) -> bool:
    """Return whether the broker accepts no messages, as it reports to publishers."""
    assert connection.transport is not None, "it is open"  # noqa: S101 - for mypy
    async with connection.channel(publisher_confirms=False) as channel:
        await channel.default_exchange.publish(aio_pika.Message(b""), "scoreboard.nowhere", mandatory=False)
        await asyncio.sleep(NOTICE_S)
        try:
            async with asyncio.timeout(NOTICE_S):
                await connection.transport.ready()
        except TimeoutError:
            return True
    return False


def remedy(error: BaseException | None, url: str, variable: str, permissions: str) -> str:
    """Return the remedy for a failed connection to the URL in a variable.

    `permissions` are those that the user needs in the virtual host.
    """
    vhost, user = quoted_names(url)
    match error:
        case ProbableAuthenticationError() if user == "guest":
            return f"guest may only connect locally: create a user with rabbitmqctl add_user, and correct {variable}"
        case ProbableAuthenticationError():
            return f"check the user and the password in {variable}, or run: rabbitmqctl add_user {user} PASSWORD"
        case _ if is_vhost_error(error):
            return f"rabbitmqctl add_vhost {vhost}; rabbitmqctl set_permissions -p {vhost} {user} {permissions}"
        case _:
            return f"start the server, or correct {variable}"


def quoted_names(url: str) -> tuple[str, str]:
    """Return the virtual host and the user of a URL, quoted for a shell."""
    parts = URL(url)
    return shlex.quote(parts.path[1:] or "/"), shlex.quote(parts.user or "guest")
