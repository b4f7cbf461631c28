"""`scoreboard completion`: the script by which a shell completes commands, options and their values."""

from typing import Literal

from cyclopts import App

Shell = Literal["bash", "zsh", "fish"]


def completing(app: App) -> App:
    """The command that prints the script of `app`."""
    completion = App(
        name="completion",
        help_epilogue="Examples:\n"
        "  source <(scoreboard completion bash)     for this shell; in ~/.bashrc for every one\n"
        "  scoreboard completion zsh > ~/.zfunc/_scoreboard\n"
        "  scoreboard completion fish > ~/.config/fish/completions/scoreboard.fish",
    )

    @completion.default
    def script(shell: Shell, /) -> None:
        """Print the script that completes `scoreboard` in a shell.

        Parameters
        ----------
        shell
            Which shell.
        """
        print(app.generate_completion(shell=shell))

    return completion
