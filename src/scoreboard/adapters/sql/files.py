"""The SQL files of an adapter: named statements and numbered migrations."""

import re
from importlib.resources import files
from typing import NamedTuple

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class Migration(NamedTuple):
    """A step of the schema. The file name begins with the number."""

    number: int
    file: str
    script: str


class SqlFiles:
    """The folder `sql/` of an adapter's package."""

    def __init__(self, package: str) -> None:
        self.folder = files(package) / "sql"

    def statements(self, file: str) -> dict[str, str]:
        """Return the statements of a file by their names."""
        parts = _NAME.split((self.folder / file).read_text())
        return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}

    def migrations(self) -> list[Migration]:
        """Return the migrations of this version of Scoreboard, in order."""
        entries = sorted((entry for entry in self.folder.iterdir() if entry.name[:4].isdigit()), key=lambda e: e.name)
        return [Migration(int(entry.name[:4]), entry.name, entry.read_text()) for entry in entries]
