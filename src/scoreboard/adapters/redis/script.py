"""Scripts that run in the server."""

from collections.abc import Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError

from scoreboard.adapters.redis.connection import Client


class Script:
    """Files of `lua/`, one after the other, run atomically by the server that has the keys.

    A server that does not have it yet (a new one, or one promoted since) is sent the text with the call. Nothing is
    loaded ahead: redis-py's own scripts load into every primary of a Cluster, and fail when another one is away.
    """

    def __init__(self, *names: str) -> None:
        self._text = "\n".join((files(__package__) / "lua" / name).read_text() for name in names)
        self._digest = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(
        self, client: Client, keys: Sequence[str | bytes], arguments: Sequence[str | bytes | int]
    ) -> Any:
        """What the script returns. All keys must be of one slot. Raises one of `connection.FAILURES`."""
        try:
            return await client.execute_command("EVALSHA", self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await client.execute_command("EVAL", self._text, len(keys), *keys, *arguments)
