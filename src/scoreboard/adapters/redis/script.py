"""Lua scripts that run in the server."""

from collections.abc import Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError

from scoreboard.adapters.redis.connection import Client


class Script:
    """A script from files of `lua/`, run atomically by the server that has the keys.

    Its text is sent with the call to a server that does not have it, because it is new or was promoted. The scripts of
    redis-py are loaded into every primary of a Cluster beforehand, which fails while any of them is down.
    """

    def __init__(self, *names: str) -> None:
        self._text = "\n".join((files(__package__) / "lua" / name).read_text() for name in names)
        self._digest = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(
        self, client: Client, keys: Sequence[str | bytes], arguments: Sequence[str | bytes | int]
    ) -> Any:
        """Return the result, or raise one of FAILURES. All keys must be in one slot."""
        try:
            return await client.execute_command("EVALSHA", self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await client.execute_command("EVAL", self._text, len(keys), *keys, *arguments)
