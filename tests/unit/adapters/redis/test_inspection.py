"""What the user of a URL may not do."""

import re
from importlib.resources import files

import pytest

from harness.servers.redis import Server
from scoreboard.adapters import redis as adapter
from scoreboard.adapters.redis.connection import connect
from scoreboard.adapters.redis.diagnostics import RIGHTS
from scoreboard.adapters.redis.inspection import denied, inspect
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.adapters.redis.rate_limiter import RedisRateLimiter
from tests.making import board, standing, table

MAIN = board()


def allowed(server: Server, *rights: str) -> str:
    """The URL of a user who has these rights and no others."""
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
async def test_what_the_user_may_not_call_is_named(server: Server, rights: str, missing: list[str]) -> None:
    assert await denied(allowed(server, *rights.split())) == missing
    assert server.ask("DBSIZE") == 0


@pytest.mark.slow
async def test_the_rights_that_are_advised_are_enough(server: Server) -> None:
    url = allowed(server, *RIGHTS.split())
    assert (await inspect(url)).policy == "noeviction"

    async def load(_: object):  # type: ignore[no-untyped-def]  # of nothing
        yield []

    async with connect(url) as client:
        ranking = RedisRanking(client, load)
        await ranking.apply(table(MAIN), MAIN, {"ann": standing(5), "bob": standing(3)}, place=True)
        await ranking.remove(table(MAIN), "bob", 1)
        assert await ranking.total(table(MAIN), MAIN) == 1
        assert await ranking.cached_tables() == [table(MAIN)]
        await ranking.drop(MAIN)
        await ranking.close()
        assert (await RedisRateLimiter(client).acquire("who", 5, 60.0)).remaining == 4


def test_every_command_of_a_script_is_looked_at() -> None:
    scripts = [path for path in (files(adapter) / "lua").iterdir() if path.name != "acl_check.lua"]
    called = {name.lower() for path in scripts for name in re.findall(r"call\('(\w+)'", path.read_text())}
    looked_at = set(re.findall(r"{ '(\w+)'", (files(adapter) / "lua" / "acl_check.lua").read_text()))
    assert called
    assert called <= looked_at
