"""Console entry point `scoreboard`: runs a command and turns its errors into one line and an exit status.

0 done; 1 refused, or done in part; 2 not tried (usage, settings, folder, port); 130 ended by Ctrl-C.
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
from scoreboard.cli import output
from scoreboard.cli.completion import completion
from scoreboard.cli.config import config
from scoreboard.cli.dlq import dlq
from scoreboard.cli.doctor import doctor
from scoreboard.cli.errors import CommandError
from scoreboard.cli.manage import management
from scoreboard.cli.parameters import examples
from scoreboard.cli.rebuild import rebuild
from scoreboard.cli.resources import RESOURCES
from scoreboard.cli.serve import ROLES, migrate, role, serve
from scoreboard.cli.token import token
from scoreboard.cli.top import top
from scoreboard.cli.transfer.export import export
from scoreboard.cli.transfer.imports import import_
from scoreboard.cli.transfer.replay import replay
from scoreboard.cli.watch import watch
from scoreboard.domain.errors import ScoreboardError

TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false"}
USAGE, FAILED, INTERRUPTED, BROKEN_PIPE = 2, 1, 130, 141

app = App(
    name="scoreboard",
    help="A self-hosted, real-time leaderboard service.",
    help_format="plaintext",
    help_epilogue="First steps:\n"
    "  scoreboard serve --demo                      run a demo with a moving board\n"
    "  scoreboard apps create game                  create an app,\n"
    "  scoreboard boards create main --app game     a board in it,\n"
    "  scoreboard token server --app game           and a token for your server\n"
    "  scoreboard COMMAND --help                    show options and examples",
    version=__version__,
    result_action="return_value",
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
)
app.command(
    serve,
    help_epilogue=examples("serve --demo", "serve --data /var/lib/scoreboard --port 9000")
    + "\n  SCOREBOARD_DATA=/var/lib/scoreboard scoreboard serve --host 0.0.0.0",
)
for part in ROLES:
    app.command(role(part))
app.command(
    migrate,
    help_epilogue=examples(
        "migrate --data /var/lib/scoreboard", "migrate --database-url postgresql://db.example/scoreboard"
    )
    + "\n  SCOREBOARD_DATABASE_URL=postgresql://db.example/scoreboard scoreboard migrate",
)
app.command(rebuild, help_epilogue=examples("rebuild", "rebuild --app demo --board main"))
app.command(
    doctor,
    help_epilogue=examples(
        "doctor",
        "doctor --json | jq '.findings[] | select(.state != \"ok\")'",
        "doctor --url https://scores.example.com",
    )
    + "\n\nThe exit status is 1 if there are problems, and 0 if there are only warnings.",
)
groups = (*map(management, RESOURCES), token, config, replay, export, import_, top, watch, dlq, completion(app))
for group in groups:
    app.command(group)


def run() -> None:
    """Run the command line and exit with its status."""
    _open_streams()
    sys.exit(status(sys.argv[1:]))


def status(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status. Errors are printed to stderr."""
    try:
        app(arguments)
        _flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE
    except Exception as error:
        line, exit_status = _explain(error)
        output.error(line)
        return exit_status
    return 0


def _open_streams() -> None:
    """Replace closed standard streams, as service managers leave them, and make all text printable."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest free descriptor is this one.
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "w"))
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    """Flush stdout. Drop the text if that fails, or Python would report the error again at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _explain(error: Exception) -> tuple[str, int]:
    """Return one line and the exit status. Unexpected errors are raised in Python's development mode."""
    match error:
        case CycloptsError():
            text = str(error)
            if isinstance(error, CoercionError) and error.token is not None and error.target_type in TYPE_NAMES:
                option = error.token.keyword or (error.argument.name if error.argument else "the value")
                text = f"{option}: {error.token.value!r} is not {TYPE_NAMES[error.target_type]}."
            return f"{text} Try: {' '.join(['scoreboard', *(error.command_chain or ()), '--help'])}", USAGE
        case CommandError():
            return str(error), error.exit_status
        case SettingsError() | FolderLocked() | FolderUnusable() | PortInUse():
            return str(error), USAGE
        case ScoreboardError():
            return f"{error.code}: {error.detail}", FAILED
        case NotUsable() | OSError():
            return f"the command failed: {error}", FAILED
    if sys.flags.dev_mode:
        raise error
    return f"unexpected {type(error).__name__}: {error}; please report it (PYTHONDEVMODE=1 shows the traceback)", FAILED
