"""`scoreboard completion`: completion scripts for shells."""

from typing import Annotated, Literal

from cyclopts import App, Parameter

Shell = Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Name of the shell.")]


def completion(app: App) -> App:
    """Return the command that prints the completion scripts of `app`."""
    command = App(
        name="completion",
        help_epilogue="Examples:\n"
        "  source <(scoreboard completion bash)     for this shell; in ~/.bashrc for every shell\n"
        "  scoreboard completion zsh > ~/.zfunc/_scoreboard\n"
        "  scoreboard completion fish > ~/.config/fish/completions/scoreboard.fish",
    )

    @command.default
    def script(shell: Shell, /) -> None:
        """Print the script that completes `scoreboard` commands in a shell."""
        print(app.generate_completion(shell=shell))

    return command
