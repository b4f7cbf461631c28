"""The prose of a tree: docstrings, comments, messages, pages and names of tests."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

MESSAGE = 4  # words from which on a string literal is taken for a message
OTHERS = re.compile(r"third_party|swagger-ui|package-lock|/data/")  # paths of files that others wrote
COMMENTS = {  # the comments of a file, by its suffix or name
    ".sql": r"--(.*)",
    ".lua": r"--(.*)",
    **dict.fromkeys((".toml", ".yaml", ".yml", ".sh", ".conf", "Makefile", "Dockerfile", "run"), r"(?:^|\s)#(?!!)(.*)"),
}
SCRIPT_PROSE = re.compile(
    r"/\*(?P<block>.*?)\*/|(?<![:\"'])//(?P<line>[^\n]*)|(?P<quote>[\"'`])(?P<text>(?:\\.|(?!(?P=quote))[^\\])*)(?P=quote)",
    re.DOTALL,
)
SPOKEN = ("alt", "aria-label", "title", "placeholder", "content")
SQL = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|WITH|FROM|WHERE)\b")
PROPERTIES = re.compile(r"property|fixture|\.setter|overload")


@dataclass(frozen=True, slots=True)
class Prose:
    """One piece of text; `kind` is what the rules depend on, `of` what a docstring describes."""

    path: str
    line: int
    kind: str  # docstring, comment, message, page, heading, table, bullet or name
    text: str
    of: str = ""  # module, class, function, or empty


def sources(root: Path, paths: list[Path] | None = None) -> list[Path]:
    """List the tracked and new files under the given paths, or in the whole tree."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *map(str, paths or [])]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout  # noqa: S603
    files = [root / name for name in listed.split("\0") if name and not OTHERS.search(name)]
    return [file for file in files if file.is_file() and not file.is_symlink()]


def prose_of(file: Path, root: Path) -> Iterator[Prose]:
    """Yield the prose of one file; none of a format that has none."""
    path = file.relative_to(root).as_posix()
    if file.suffix == ".py":
        yield from _python(path, file.read_text())
    elif file.suffix == ".md":
        yield from _markdown(path, file.read_text())
    elif file.suffix in (".js", ".mjs", ".ts", ".css"):
        yield from _script(path, file.read_text())
    elif file.suffix == ".html":
        yield from _html(path, file.read_text())
    elif leader := COMMENTS.get(file.suffix) or COMMENTS.get(file.name):
        yield from _comments(path, file.read_text(), leader)


def _python(path: str, source: str) -> Iterator[Prose]:
    tree = ast.parse(source)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield Prose(path, node.lineno, "name", node.name.replace("_", " "))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                docstrings.add(node.body[0].value)  # type: ignore[attr-defined]
                yield Prose(path, node.body[0].lineno, "docstring", text, _described(node))
    yield from _python_comments(path, source)
    if path.startswith("src/"):
        yield from _messages(path, tree, docstrings)


def _described(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    if isinstance(node, ast.Module):
        return "module"
    if isinstance(node, ast.ClassDef):
        return "class"
    free = node.name.startswith(("test_", "__")) or any(
        PROPERTIES.search(ast.unparse(decorator)) for decorator in node.decorator_list
    )
    return "" if free else "function"


def _joined(path: str, lines: Iterable[tuple[int, str]], kind: str) -> Iterator[Prose]:
    """Yield comments of consecutive lines as one text."""
    start, last, text = 0, -1, ""
    for line, comment in lines:
        if line != last + 1:
            if text:
                yield Prose(path, start, kind, text)
            start, text = line, comment
        else:
            text += " " + comment
        last = line
    if text:
        yield Prose(path, start, kind, text)


def _python_comments(path: str, source: str) -> Iterator[Prose]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [
        (token.start[0], re.sub(r"noqa:?[A-Z0-9, ]*( - )?|type: ignore\S*", "", token.string.lstrip("#! ")), token)
        for token in tokens
        if token.type == tokenize.COMMENT
    ]
    own = [(line, text) for line, text, token in comments if token.line.lstrip().startswith("#")]
    yield from _joined(path, own, "comment")
    for line, text, token in comments:
        if not token.line.lstrip().startswith("#") and text.strip():
            yield Prose(path, line, "comment", text)


def _messages(path: str, tree: ast.Module, docstrings: set[ast.expr]) -> Iterator[Prose]:
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {tree}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(v.value) if isinstance(v, ast.Constant) else "`x`" for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings | parts:
            text = node.value
        else:
            continue
        if len(text.split()) >= MESSAGE and not SQL.search(text) and "<" not in text[:3]:
            yield Prose(path, node.lineno, "message", text)


def _markdown(path: str, source: str) -> Iterator[Prose]:
    bullet = "bullet" if Path(path).name == "CHANGELOG.md" else "page"
    start, text, kind, fence = 0, "", "page", False
    for number, line in enumerate([*source.splitlines(), ""], 1):
        stripped = line.strip()
        item = re.match(r"\s*(?:[-*+]|\d+\.)\s+(?=\S)", line)
        marks = stripped.startswith(("```", "~~~"))
        ends = marks or fence or not stripped or item or stripped.startswith(("#", "|", "<", "!!!", "???", ":::"))
        if ends and text:
            yield Prose(path, start, kind, _unlinked(text))
            text = ""
        if marks or fence:
            fence = fence != marks
        elif stripped.startswith("#"):
            yield Prose(path, number, "heading", stripped.lstrip("# "))
        elif stripped.startswith("|"):
            yield Prose(path, number, "table", _unlinked(stripped.replace("|", " ")))
        elif stripped and not stripped.startswith(("<", "!!!", "???", ":::")):
            if not text:
                start, kind = number, bullet if item else "page"
            text += (line[item.end() :] if item else stripped) + "\n"


def _unlinked(text: str) -> str:
    return re.sub(r"!?\[([^]]*)\]\([^)]*\)|<[^>]+>|\*\*", r"\1", text).strip()


def _script(path: str, source: str) -> Iterator[Prose]:
    lines: list[tuple[int, str]] = []
    for match in SCRIPT_PROSE.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        if match["block"]:
            yield Prose(path, line, "comment", re.sub(r"^\s*\*+ ?", "", match["block"], flags=re.MULTILINE).strip())
        elif match["line"]:
            lines.append((line, match["line"].strip()))
        elif match["text"] and len(match["text"].split()) >= MESSAGE and not re.search(r"[<{;]", match["text"]):
            yield Prose(path, line, "message", match["text"])
    yield from _joined(path, lines, "comment")


class _Texts(HTMLParser):
    """The texts of a page, outside of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[tuple[int, str]] = []
        self.code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.code = tag in ("script", "style")
        self.texts += [(self.getpos()[0], value) for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        self.code = False

    def handle_data(self, data: str) -> None:
        if data.strip() and not self.code:
            self.texts.append((self.getpos()[0], data.strip()))

    def handle_comment(self, data: str) -> None:
        self.texts.append((self.getpos()[0], data.strip()))


def _html(path: str, source: str) -> Iterator[Prose]:
    parser = _Texts()
    parser.feed(source)
    for line, text in parser.texts:
        yield Prose(path, line, "heading", text)


def _comments(path: str, source: str, leader: str) -> Iterator[Prose]:
    lines = ((number, re.search(leader, line)) for number, line in enumerate(source.splitlines(), 1))
    yield from _joined(path, [(number, match[1].strip()) for number, match in lines if match], "comment")
