"""Inspection of a server, and of the permissions of the user in the URL."""

import re
from importlib.resources import files

import pytest

from harness.servers.redis import TIMEOUTS, Server
from scoreboard.adapters import redis as adapter
from scoreboard.adapters.redis.connection import connect
from scoreboard.adapters.redis.diagnostics import RIGHTS
from scoreboard.adapters.redis.inspection import denied_commands, inspect
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.adapters.redis.rate_limiter import RedisRateLimiter
from tests.making import board, standing, table

MAIN = board()


def url_with_rights(server: Server, *rights: str) -> str:
    """Create a user with only these rights, and return its URL."""
    server.ask("ACL", "SETUSER", "keeper", "reset", "on", ">secret", *rights)
    return server.url.replace("://", "://keeper:secret@")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rights", "missing"),
    [
        (RIGHTS, []),
        ("~* &* +@all", []),
        ("~sb:* &sb:* +@all -zadd -info", ["info", "zadd"]),
        ("~sb:* +@all", ["publish", "subscribe"]),
        ("~sb:{limits}:* &* +@all -eval +evalsha", ["eval"]),
        ("~sb:{* &* +@all -eval", ["eval"]),
        ("&* ~other:* +@all", ["eval"]),
    ],
)
async def test_denied_commands_are_named(server: Server, rights: str, missing: list[str]) -> None:
    assert await denied_commands(url_with_rights(server, *rights.split()), TIMEOUTS) == missing
    assert server.ask("DBSIZE") == 0


@pytest.mark.slow
async def test_the_advised_rights_are_sufficient(server: Server) -> None:
    url = url_with_rights(server, *RIGHTS.split())
    assert (await inspect(url, TIMEOUTS)).eviction_policy == "noeviction"

    async def load(_: object):  # type: ignore[no-untyped-def]  # of nothing
        yield []

    async with connect(url, TIMEOUTS) as client:
        ranking = RedisRanking(client, load, timeouts=TIMEOUTS)
        await ranking.apply(table(MAIN), MAIN, {"ann": standing(5), "bob": standing(3)}, place=True)
        await ranking.remove(table(MAIN), "bob", 1)
        assert await ranking.total(table(MAIN), MAIN) == 1
        assert await ranking.cached_tables() == [table(MAIN)]
        await ranking.drop(MAIN)
        await ranking.close()
        assert (await RedisRateLimiter(client, timeouts=TIMEOUTS).acquire("who", 5, 60.0)).remaining == 4


def test_every_command_of_the_scripts_is_checked() -> None:
    scripts = [path for path in (files(adapter) / "lua").iterdir() if path.name != "acl_check.lua"]
    called = {name.lower() for path in scripts for name in re.findall(r"call\('(\w+)'", path.read_text())}
    checked = set(re.findall(r"{ '(\w+)'", (files(adapter) / "lua" / "acl_check.lua").read_text()))
    assert called
    assert called <= checked
