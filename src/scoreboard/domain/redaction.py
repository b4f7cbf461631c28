"""URLs and settings as they may be shown: without users, passwords and options."""

import re

HIDDEN = "(hidden)"
_HOST = r"(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]+)?"
_ADDRESS = re.compile(
    rf"(?P<scheme>[a-z+]+://)(?:[^/?#@]*(?P<at>@))?(?P<rest>(?:{_HOST}(?:,{_HOST})*)?(?:/[a-z0-9_.%/-]*)?)(?P<more>\?[^@]*)?",
    re.IGNORECASE,
)


def redact_url(url: str) -> str:
    """Return scheme, hosts and path; hide the user, the password and what follows a '?'.

    A text that is not clearly a URL is hidden whole.
    """
    found = _ADDRESS.fullmatch(url)
    if found is None:
        return HIDDEN
    who = f"{HIDDEN}@" if found["at"] else ""
    return f"{found['scheme']}{who}{found['rest']}{'?' + HIDDEN if found['more'] else ''}"
