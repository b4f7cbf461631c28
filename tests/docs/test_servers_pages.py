"""The commands and settings on the pages about servers and roles exist."""

import re
import shlex

import pytest

from scoreboard.bootstrap.settings import CATALOGUE
from scoreboard.cli.main import app
from tools.reference import DOCS

PAGES = ("how-to/servers.md", "how-to/grow.md", "explanation/availability.md")


@pytest.mark.parametrize("page", PAGES)
def test_each_command_and_setting_on_the_page_exists(page: str) -> None:
    text = (DOCS / page).read_text()
    for line in re.findall(r"^scoreboard .*$|(?<=`)scoreboard [^`]+(?=`)", text, re.MULTILINE):
        words = [word for word in shlex.split(line, comments=True) if word != "&"]
        app.parse_args(words[1:], exit_on_error=False, print_error=False)
    known = {setting.variable for setting in CATALOGUE}
    assert set(re.findall(r"SCOREBOARD_[A-Z_]+", text)) <= known
