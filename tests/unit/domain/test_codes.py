"""The index of codes contains exactly the codes that the source raises."""

import ast
import re
from pathlib import Path

import pytest

import scoreboard
from scoreboard.application.live import close_codes
from scoreboard.application.live.close_codes import Close
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.contracts.v1.errors import CODES, STATUSES, status_of

SOURCE = Path(scoreboard.__file__).parent
INDEXES = {SOURCE / "domain" / "codes.py", SOURCE / "entrypoints" / "http" / "errors.py"}
CREATED_BY_THE_INDEX = {kind.__name__ for kind in STATUSES} | {"HttpError"}


def server_nodes() -> list[ast.AST]:
    paths = (path for path in SOURCE.rglob("*.py") if path not in INDEXES and SOURCE / "client" not in path.parents)
    return [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]


def test_every_code_is_used() -> None:
    names = {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in server_nodes()}
    assert [name for name in CODES if name.upper() not in names] == []


def test_errors_are_created_only_through_their_codes() -> None:
    calls = [node for node in server_nodes() if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    created = [call for call in calls if call.func.id in CREATED_BY_THE_INDEX]  # type: ignore[attr-defined]  # a Name
    assert [ast.unparse(call) for call in created if call.args] == []


@pytest.mark.parametrize("name", CODES)
def test_each_code_has_a_status_a_cause_and_a_remedy(name: str) -> None:
    code = CODES[name]
    assert code.name == name
    assert 400 <= status_of(code) < 600
    for sentence in (code.cause, code.remedy):
        assert re.fullmatch(r"[A-Z`].+[.]", sentence), sentence


def test_every_branch_of_the_error_tree_has_a_status() -> None:
    assert set(ScoreboardError.__subclasses__()) == set(STATUSES)


def test_every_close_code_has_a_cause_and_a_remedy() -> None:
    defined = [value for value in vars(close_codes).values() if isinstance(value, Close)]
    assert list(close_codes.CLOSES) == sorted(defined)
    assert len({close.code for close in defined}) == len(defined)
    for close in defined:
        assert close.cause.endswith(".")
        assert close.remedy.endswith(".")
