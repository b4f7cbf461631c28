"""`scoreboard serve` and `scoreboard migrate`: the service itself, and its store."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scoreboard.bootstrap import serve as role
from scoreboard.bootstrap import service, settings
from scoreboard.cli import show
from scoreboard.cli.target import run

Data = Annotated[Path | None, Parameter(help="Data folder, made when absent (or SCOREBOARD_DATA).")]


def serve(
    *,
    demo: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    host: str | None = None,
    port: int | None = None,
    data: Data = None,
) -> None:
    """Run the service until Ctrl-C or SIGTERM.

    Parameters
    ----------
    demo
        With an app whose board moves by itself, to look at.
    host
        Address to listen on (or SCOREBOARD_HOST); 127.0.0.1 is this machine only, 0.0.0.0 every network.
    port
        Port to listen on (or SCOREBOARD_PORT); 0 takes a free one.
    """
    chosen = settings.load(data=data, host=host, port=port)
    run(role.serve(chosen, demo=demo))


def migrate(*, data: Data = None) -> None:
    """Bring the store of a data folder up to this version; `serve` does so at its start, too."""
    applied = service.migrate(settings.load(data=data))
    for name in applied:
        print(name)
    if not applied:
        show.note("The store is up to date.")
