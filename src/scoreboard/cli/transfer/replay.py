"""`scoreboard replay`: sends the rows of a file as updates to a board."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from scoreboard.cli.client import Client
from scoreboard.cli.errors import CommandError, RequestRefused, UsageError
from scoreboard.cli.parameters import AppId, Flag, Json, Patience
from scoreboard.cli.target import DEFAULT, Target, run_with
from scoreboard.cli.transfer import files
from scoreboard.cli.transfer.collections import RowType
from scoreboard.cli.transfer.importer import Importer
from scoreboard.cli.transfer.progress import ProgressFile
from scoreboard.cli.transfer.rows import Row, check
from scoreboard.cli.transfer.sinks import BoardSink
from scoreboard.domain.board import INT64_MAX, INT64_MIN, Operator
from scoreboard.domain.errors import Invalid
from scoreboard.domain.identifiers import check_player

EPILOGUE = """\
FILE is CSV with the header time,player,score, or NDJSON, plain or gzip:

  time,player,score          {"time":1767225600,"player":"alice","score":10}
  1767225600,alice,10        {"time":1767225601.5,"player":"bob","score":7}
  1767225601.5,bob,7

Examples:
  scoreboard replay events.csv --app demo --board main --create
  scoreboard replay events.ndjson.gz --app demo --board main --speed 10
  export SCOREBOARD_URL=https://scores.example.com SCOREBOARD_TOKEN=...
  scoreboard replay events.csv --app demo --board main

Times only set the pace: a row counts at the time when it is sent. If a replay
is stopped or fails, run the same command again, with a token of the same
subject. It continues after the last confirmed row. No row counts twice.
The exit status is 1 if rows were refused.
"""
MAX = "max"
_KEY = re.compile(r"[\x21-\x7e]{1,100}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_ABSENT = frozenset({"app_not_found", "board_not_found"})


class Event(msgspec.Struct):
    """A row of a replay. `time` is in seconds since 1970."""

    time: float
    player: str
    score: int

    def __post_init__(self) -> None:
        """Raise ValueError for a player or a score that no server accepts."""
        try:
            check_player(self.player)
        except Invalid as error:
            raise ValueError(f"player {self.player[:60]!r}: {error.detail}") from error
        if not INT64_MIN <= self.score <= INT64_MAX:
            raise ValueError(f"score {self.score} is outside the range of signed 64-bit integers")


def _parse_cell(column: str, cell: str) -> object:
    """Accept numbers as other programs write them, such as +5 or 1e3."""
    if column == "player":
        return cell
    if column == "score":
        if not _WHOLE.fullmatch(cell.strip()):
            raise ValueError(f"score {cell[:60]!r} is not a 64-bit whole number")
        return int(cell)
    try:
        seconds = math.nan if "_" in cell else float(cell)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"time {cell[:60]!r} is not a number of seconds")
    return seconds


EVENTS = RowType("player", "a replay", Event, parse_cell=_parse_cell)
replay = App(name="replay", help_epilogue=EPILOGUE)


@replay.default
def main(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True, help="File with the rows.")],
    /,
    *,
    app: AppId,
    board: str,
    speed: str = MAX,
    create: Flag = False,
    operator: Operator | None = None,
    skip_bad: Flag = False,
    restart: Flag = False,
    patience: Patience = 60,
    key: str | None = None,
    json: Json = False,
    server: Target = DEFAULT,
) -> None:
    """Send the rows of a file as updates to a board, in order, each counted once.

    Parameters
    ----------
    board
        Id of the board. If its operator is increment, scores are increments.
    speed
        1 for the original pace, N for N times that pace, max for as fast as possible.
    create
        Create the app and the board if they are absent.
    operator
        Operator of a new board: increment (the default), best or latest.
    skip_bad
        Skip invalid rows; without it, one invalid row stops the replay before it starts.
    restart
        Send every row again. Rows that were already counted do not count again.
    key
        Count the rows again, once for each key; for a board that was deleted and created again.
    """
    if key is not None and not _KEY.fullmatch(key):
        raise UsageError("--key must be 1 to 100 visible ASCII characters without spaces")
    if str(file) == files.STANDARD:
        raise UsageError("a replay reads its file twice, which stdin does not allow; pass a file name")
    factor = parse_speed(speed)
    source = check(str(file), EVENTS, skip_bad=skip_bad)

    async def send(client: Client) -> Importer:
        rules = await _open_board(client, app, board, operator, create=create)
        field = "increment" if rules["operator"] == "increment" else "score"
        prefix = "-".join(filter(None, (str(source.digest)[:16], board, key)))

        def to_body(rows: Sequence[Row]) -> dict[str, Any]:
            return {
                "updates": [
                    {"player": row.item.player, field: row.item.score, "idempotency_key": f"{prefix}-{row.number}"}
                    for row in rows
                ]
            }

        sink = BoardSink(replace(client, patience_s=patience), app, board, ("scores", "batch"), to_body)
        name = client.server if key is None else f"{client.server} {key}"
        progress = ProgressFile("replay", source.digest, f"{app}/{board}", name)
        importer = Importer(source, sink, progress, "replaying", f"{app}/{board}", factor)
        await importer.run(restart=restart)
        return importer

    run_with(server, send).report(as_json=json)


def parse_speed(text: str) -> float | None:
    """Return a factor of the original pace, None for as fast as possible."""
    if text == MAX:
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 1e9:
        raise UsageError(f"--speed must be a number such as 10 (ten times the original pace) or max, not {text!r}")
    return speed


async def _open_board(
    client: Client, app: str, board: str, operator: Operator | None, *, create: bool
) -> dict[str, Any]:
    """Return the board, and create it if it is absent and `create`."""
    boards = ("apps", app, "boards")
    try:
        rules: dict[str, Any] = await client.call("GET", *boards, board)
    except RequestRefused as error:
        if error.code not in _ABSENT:
            raise
        if not create:
            raise CommandError(f"{error}; to create it, add --create") from error
        if error.code == "app_not_found":
            await client.call("POST", "apps", body={"app": app})
        rules = await client.call("POST", *boards, body={"board": board, "operator": operator or "increment"})
    if operator not in {None, rules["operator"]}:
        raise UsageError(f"board {board} has the operator {rules['operator']}, not {operator}; omit --operator")
    return rules
