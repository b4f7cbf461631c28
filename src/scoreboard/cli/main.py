"""The console entry `scoreboard`: finds the command, and turns what goes wrong into one line and an exit status.

0 done; 1 refused, or only done in part; 2 could not be tried (usage, settings, folder, port); 130 Ctrl-C.
"""

import io
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CoercionError, CycloptsError

from scoreboard import __version__
from scoreboard.application.ports.backend import NotUsable
from scoreboard.bootstrap.data_dir import FolderLocked, FolderUnusable
from scoreboard.bootstrap.listening import PortInUse
from scoreboard.bootstrap.settings import SettingsError
from scoreboard.cli import show
from scoreboard.cli.actions import actions
from scoreboard.cli.apps import apps
from scoreboard.cli.boards import boards
from scoreboard.cli.completion import completing
from scoreboard.cli.config import config
from scoreboard.cli.dlq import dlq
from scoreboard.cli.doctor import doctor
from scoreboard.cli.errors import CommandError
from scoreboard.cli.players import players
from scoreboard.cli.rebuild import rebuild
from scoreboard.cli.replay.command import replay
from scoreboard.cli.serve import api, jobs, live, migrate, serve, worker
from scoreboard.cli.token import token
from scoreboard.cli.top import top
from scoreboard.cli.transfer.export import export
from scoreboard.cli.transfer.imports import import_
from scoreboard.cli.watch import watch
from scoreboard.domain.errors import ScoreboardError

VALUES = {int: "a whole number", float: "a number", bool: "true or false"}
USAGE, FAILED, INTERRUPTED, BROKEN_PIPE = 2, 1, 130, 141

SHARED = """Roles share PostgreSQL, Redis and, where there is one, RabbitMQ; tell them in the environment:
  SCOREBOARD_DATABASE_URL, SCOREBOARD_RANKING_URL, SCOREBOARD_QUEUE_URL and SCOREBOARD_SIGNING_KEY."""

app = App(
    name="scoreboard",
    help="A self-hosted, real-time leaderboard service.",
    help_format="plaintext",
    help_epilogue="First steps:\n"
    "  scoreboard serve --demo                      a moving board to look at\n"
    "  scoreboard apps create game                  an app of your own,\n"
    "  scoreboard boards create main --app game     a board in it,\n"
    "  scoreboard token server --app game           and a token for your server\n"
    "  scoreboard COMMAND --help                    what it can do, by example",
    version=__version__,
    result_action="return_value",
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
)
app.command(
    serve,
    help_epilogue="Examples:\n"
    "  scoreboard serve --demo\n"
    "  scoreboard serve --data /var/lib/scoreboard --port 9000\n"
    "  SCOREBOARD_DATA=/var/lib/scoreboard scoreboard serve --host 0.0.0.0",
)
for alone in (api, live, worker, jobs):
    app.command(alone, help_epilogue=f"Example:\n  scoreboard {alone.__name__} --host 0.0.0.0 --port 8000\n\n{SHARED}")
app.command(
    migrate,
    help_epilogue="Examples:\n"
    "  scoreboard migrate --data /var/lib/scoreboard\n"
    "  scoreboard migrate --database-url postgresql://db.example/scoreboard\n"
    "  SCOREBOARD_DATABASE_URL=postgresql://db.example/scoreboard scoreboard migrate",
)
app.command(
    rebuild,
    help_epilogue="Examples:\n  scoreboard rebuild\n  scoreboard rebuild --app demo --board main",
)
app.command(
    doctor,
    help_epilogue="Examples:\n"
    "  scoreboard doctor\n"
    "  scoreboard doctor --json | jq '.findings[] | select(.state != \"ok\")'\n"
    "  scoreboard doctor --url https://scores.example.com\n\n"
    "Exit status 1 when there are problems; warnings are no problems.",
)
for group in (apps, boards, players, actions, token, config, replay, export, import_, top, watch, dlq, completing(app)):
    app.command(group)


def run() -> None:
    """Run the command line and exit with its status."""
    _open_streams()
    sys.exit(status(sys.argv[1:]))


def status(arguments: Sequence[str]) -> int:
    """Run one command; its exit status. No error gets past it, but every one has said on stderr what to do."""
    try:
        app(arguments)
        _flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE
    except Exception as error:
        line, exit_status = _explained(error)
        show.error(line)
        return exit_status
    return 0


def _open_streams() -> None:
    """Streams that can be written to, whatever the text and whoever started us: closed ones lead nowhere."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "w"))
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    """Write out what was printed. What cannot be written is dropped, or Python would complain again at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _plain(error: CycloptsError) -> str:
    """Without the names of Python's types."""
    if isinstance(error, CoercionError) and error.token is not None and error.target_type in VALUES:
        name = error.token.keyword or (error.argument.name if error.argument else "it")
        return f"{name}: {error.token.value!r} is not {VALUES[error.target_type]}."
    return str(error)


def _explained(error: Exception) -> tuple[str, int]:
    """A line for people, and the exit status. What nobody expected is raised again in Python's development mode."""
    match error:
        case CycloptsError():
            asked = " ".join(["scoreboard", *(error.command_chain or ()), "--help"])
            return f"{_plain(error)} Try: {asked}", USAGE
        case CommandError():
            return str(error), error.exit_status
        case SettingsError() | FolderLocked() | FolderUnusable() | PortInUse():
            return str(error), USAGE
        case ScoreboardError():
            return f"{error.code}: {error.detail}", FAILED
        case NotUsable() | OSError():
            return f"cannot go on: {error}", FAILED
    if sys.flags.dev_mode:
        raise error
    return f"unexpected {type(error).__name__}: {error}; please report it (PYTHONDEVMODE=1 shows where)", FAILED
