"""The index of codes holds what the source raises, and nothing else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import scoreboard
from scoreboard.application.live import codes as closes
from scoreboard.application.live.codes import Close
from scoreboard.domain import errors
from scoreboard.domain.codes import CODES
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.contracts.v1.errors import STATUSES, status_of

SOURCE = Path(scoreboard.__file__).parent
INDEX = SOURCE / "domain" / "codes.py"
RAISED_AS = {kind.__name__: 0 for kind in STATUSES} | {"HttpError": 1, "Error": 0}  # and where


def sources() -> Iterator[ast.AST]:
    """Of the server: what the client says of its own accord is not in the index."""
    for path in SOURCE.rglob("*.py"):
        if path != INDEX and SOURCE / "client" not in path.parents:
            yield ast.parse(path.read_text())


def raised() -> Iterator[tuple[str, str]]:
    """What is raised, and a pattern of its code: `ranking_{state}` is ranking_ and something."""
    for tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in RAISED_AS and len(node.args) > RAISED_AS[name]:
                yield from ((name, pattern) for pattern in patterns(node.args[RAISED_AS[name]]))


def patterns(code: ast.expr) -> Iterator[str]:
    match code:
        case ast.Constant(str(text)):
            yield re.escape(text)
        case ast.JoinedStr(parts):
            yield "".join(re.escape(str(p.value)) if isinstance(p, ast.Constant) else "[a-z_]+" for p in parts)
        # A variable carries what was raised elsewhere, or what the next function finds.


def handed_on() -> Iterator[str]:
    """Codes that are an argument before they are raised: `app_exists`, `check_text("name", ...)` for `invalid_name`."""
    for tree in sources():
        for node in ast.walk(tree):
            match node:
                case ast.Constant(str(text)) if re.fullmatch(r"[a-z]+_exists", text):
                    yield text
                case ast.Call(func=ast.Name(name) | ast.Attribute(attr=name), args=[ast.Constant(str(what)), *_]):
                    if name in {"check_slug", "check_text", "_check_range"}:
                        yield f"invalid_{what}"


def test_every_code_that_is_raised_is_in_the_index() -> None:
    found = [*raised(), *(("Conflict" if code.endswith("_exists") else "Invalid", code) for code in handed_on())]
    assert len(found) > 80
    for name, pattern in found:
        known = [code for code in CODES if re.fullmatch(pattern, code)]
        assert known, pattern
        kinds = {CODES[code].kind for code in known}
        if name == "HttpError":
            assert all(isinstance(kind, int) for kind in kinds), pattern
        elif name != "Error" and known == [pattern]:
            assert kinds == {getattr(errors, name)}, pattern


def test_nothing_else_is_in_the_index() -> None:
    vague = "invalid_[a-z_]+"  # what it stands for is handed on
    found = {pattern for _, pattern in raised()} - {vague} | set(handed_on())
    unused = [code for code in CODES if not any(re.fullmatch(pattern, code) for pattern in found)]
    assert unused == []


@pytest.mark.parametrize("code", CODES)
def test_each_has_a_status_a_cause_and_a_remedy(code: str) -> None:
    assert 400 <= status_of(code) < 600
    for sentence in CODES[code][1:]:
        assert re.fullmatch(r"[A-Z`].+[.]", sentence), sentence


def test_every_branch_of_the_error_tree_has_a_status() -> None:
    assert set(ScoreboardError.__subclasses__()) == set(STATUSES)


def test_every_close_is_explained() -> None:
    defined = [value for value in vars(closes).values() if isinstance(value, Close)]
    assert list(closes.CLOSES) == sorted(defined)
    assert len({close.code for close in defined}) == len(defined)
    for close in defined:
        assert close.cause.endswith(".")
        assert close.remedy.endswith(".")
