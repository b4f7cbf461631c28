"""Errors that end a command, each with one line of text and an exit status."""

from typing import ClassVar

HINTS = {
    "app_not_found": "see: scoreboard apps list",
    "app_exists": "change it with: scoreboard apps update, or choose another id",
    "board_not_found": "see: scoreboard boards list --app APP",
    "board_exists": "change it with: scoreboard boards update, or choose another id",
    "action_not_found": "see: scoreboard actions list --app APP",
    "action_exists": "change it with: scoreboard actions update",
    "player_not_found": "see: scoreboard players list --app APP",
    "player_exists": "change it with: scoreboard players update",
    "key_reused": "if the board was deleted and created again, use: scoreboard replay --key NAME",
    "key_spent": "if the board was deleted and created again, use: scoreboard replay --key NAME",
    "letter_not_found": "see: scoreboard dlq list",
    "token_missing": "pass --token, or set SCOREBOARD_TOKEN",
    "token_invalid": "create one on the server's machine with: scoreboard token admin --app '*'",
    "token_expired": "create one on the server's machine with: scoreboard token admin --app '*'",
    "scope_missing": "an admin token is needed: scoreboard token admin --app APP",
    "wrong_app": "use a token of this app, or the operator's: scoreboard token admin --app '*'",
}


class CommandError(Exception):
    """Error that ends a command with its one line of text."""

    exit_status: ClassVar[int] = 1


class UsageError(CommandError):
    """Error in an option, a setting or a file, found before anything was sent."""

    exit_status = 2


class RequestRefused(CommandError):
    """Refusal by the server. `status` is None on a live connection."""

    def __init__(self, status: int | None, code: str, detail: str) -> None:
        hint = f" ({HINTS[code]})" if code in HINTS else ""
        super().__init__(f"{code}: {detail}{hint}")
        self.status = status
        self.code = code
        self.detail = detail
