"""Progress: a small file that says how far rows were sent. Without it they are sent again, and not counted again."""

import contextlib
import hashlib
import os
import time
from pathlib import Path

import msgspec

from scoreboard.cli import show

SAVED_EVERY_S = 0.25


class Confirmed(msgspec.Struct, forbid_unknown_fields=True):
    """The server answered for all rows up to number `last`, `rows` of them. `proof` is the id of the last that took
    effect: as long as the server knows it, this is still what those rows were sent to."""

    last: int = 0
    rows: int = 0
    proof: str | None = None


class Progress:
    """The file of one `command`: with this content, to this place, of this server. It only ever saves work, so trouble
    with it is told once and does not stop anything."""

    def __init__(self, command: str, digest: str, place: str, server: str) -> None:
        where = hashlib.sha256(server.encode()).hexdigest()[:16]
        self.path = _state_folder() / command / f"{digest[:16]}-{place}-{where}.json"
        self._saved_at = float("-inf")
        self._told = False

    def load(self) -> Confirmed:
        """What was saved; nothing confirmed when there is no such file, or none that makes sense."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Confirmed)
        except (OSError, msgspec.DecodeError):
            return Confirmed()

    def save(self, confirmed: Confirmed, *, now: bool = False) -> None:
        """Write it, in one step; unless `now`, only when the last time was a while ago."""
        if not now and time.monotonic() - self._saved_at < SAVED_EVERY_S:
            return
        self._saved_at = time.monotonic()
        draft = self.path.with_suffix(f".{os.getpid()}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(confirmed))
            draft.replace(self.path)
        except OSError as error:
            if not self._told:
                show.note(f"Cannot keep progress in {self.path.parent}: {error.strerror}; going on without.")
            self._told = True

    def clear(self) -> None:
        """All is done: the same again begins at the first row."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def _state_folder() -> Path:
    home = os.environ.get("XDG_STATE_HOME", "")
    base = Path(home) if home.startswith("/") else Path.home() / ".local" / "state"
    return base / "scoreboard"
