"""Redaction of URLs: without users, passwords and options they can be shown."""

import re

HIDDEN = "(hidden)"
_HOST = r"(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]+)?"
_ADDRESS = re.compile(
    rf"(?P<scheme>[a-z+]+://)(?:[^/?#@]*(?P<at>@))?(?P<rest>(?:{_HOST}(?:,{_HOST})*)?(?:/[a-z0-9_.%/-]*)?)(?P<query>\?[^@]*)?",
    re.IGNORECASE,
)


def redact_url(url: str) -> str:
    """Hide the user, the password and the query of a URL.

    A text that is not clearly a URL is hidden completely.
    """
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return HIDDEN
    user = f"{HIDDEN}@" if match["at"] else ""
    return f"{match['scheme']}{user}{match['rest']}{'?' + HIDDEN if match['query'] else ''}"
