"""What can be seen of a RabbitMQ without changing it."""

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
from scoreboard.adapters.rabbitmq.topology import Topology
from scoreboard.domain import codes

CALL_S = 3.0
NOTICE_S = 0.25  # in which a broker that is out of memory or disk says so to who publishes


Lack: TypeAlias = Literal["", "quorum queues", "rights"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """`blocked` when it takes no messages, for want of memory or disk. `made` when our queues are there: then `dead`
    letters, and `takers`, processes that take what is queued; else what it `lacks` for them to be made."""

    version: str
    blocked: bool
    made: bool
    dead: int = 0
    takers: int = 0
    lacks: Lack = ""


async def inspect(url: str, topology: Topology) -> Inspection:
    """Raises Unavailable, whose detail says why without a secret."""
    try:
        async with await connect(url, "doctor") as connection:
            version, blocked = _version(connection), await _blocked(connection)
            try:
                async with connection.channel() as channel:
                    dead = await channel.declare_queue(topology.dead, passive=True, timeout=CALL_S)
                    takers = await channel.declare_queue(topology.takers, passive=True, timeout=CALL_S)
            except ChannelNotFoundEntity:
                return Inspection(version, blocked, made=False, lacks=await _lack(url, topology))
            counts = dead.declaration_result.message_count or 0, takers.declaration_result.consumer_count or 0
            return Inspection(version, blocked, True, *counts)
    except FAILURES as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise codes.QUEUE_UNAVAILABLE.error(describe_error(error)) from error


async def _lack(url: str, topology: Topology) -> Lack:
    """A queue like ours is made and deleted. A broker that cannot may end the connection, so it has one of its own."""
    async with await connect(url, "doctor") as connection:
        try:
            async with connection.channel() as channel:
                queue = await channel.declare_queue(
                    f"{topology.exchange}.doctor", durable=True, arguments={"x-queue-type": "quorum"}, timeout=CALL_S
                )
                await queue.delete(if_unused=False, if_empty=False, timeout=CALL_S)
        except ChannelAccessRefused:
            return "rights"
        except (ChannelPreconditionFailed, ConnectionInternalError, ConnectionNotImplemented):
            return "quorum queues"
    return ""


def _version(connection: AbstractConnection) -> str:
    assert connection.transport is not None, "it is open"  # noqa: S101
    properties = connection.transport.connection.server_properties
    return str(properties.get("version", "unknown"))


async def _blocked(connection: AbstractConnection) -> bool:
    """It says so to who publishes: a message to no queue."""
    assert connection.transport is not None, "it is open"  # noqa: S101
    async with connection.channel(publisher_confirms=False) as channel:
        await channel.default_exchange.publish(aio_pika.Message(b""), "scoreboard.nowhere", mandatory=False)
        await asyncio.sleep(NOTICE_S)
        try:
            async with asyncio.timeout(NOTICE_S):
                await connection.transport.ready()
        except TimeoutError:
            return True
    return False


def remedy(error: BaseException | None, url: str, variable: str, rights: str) -> str:
    """What to do about what a broker at this URL, given by this variable, said to who connects. `rights` are what our
    user needs in the virtual host."""
    vhost, user = names(url)
    match error:
        case ProbableAuthenticationError() if user == "guest":
            return f"make a user (guest is let in from its own machine only): rabbitmqctl add_user; correct {variable}"
        case ProbableAuthenticationError():
            return f"check the user and the password in {variable}, or make it: rabbitmqctl add_user {user} PASSWORD"
        case _ if is_vhost_error(error):
            return f"rabbitmqctl add_vhost {vhost}; rabbitmqctl set_permissions -p {vhost} {user} {rights}"
        case _:
            return f"start it, or correct {variable}"


def names(url: str) -> tuple[str, str]:
    """The virtual host and the user that a URL names, as a shell takes them."""
    parts = URL(url)
    return shlex.quote(parts.path[1:] or "/"), shlex.quote(parts.user or "guest")
