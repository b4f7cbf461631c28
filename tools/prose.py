"""The prose of a tree: docstrings, comments, messages, pages and names of tests."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

MESSAGE = 4  # words; a shorter string literal is not a message
FOLDERS = (".ci", "bench", "chaos", "clients", "deploy", "docs", "harness", "src", "tests", "tools")
OTHERS = re.compile(  # third-party and generated files, and migrations
    r"third_party|swagger-ui|node_modules|__pycache__|bench/(?:results|build)/|migration/v"
)
COMMENTS = {  # the comments of a file, by its suffix or name
    ".sql": r"--(?! name:)(.*)",
    ".lua": r"--(.*)",
    **dict.fromkeys((".toml", ".yaml", ".yml", ".sh", ".conf", "Makefile", "Dockerfile", "run"), r"(?:^|\s)#(?!!)(.*)"),
}
SCRIPT_PROSE = re.compile(
    r"/\*(?P<block>.*?)\*/|(?<![:\"'])//(?P<line>[^\n]*)|(?P<quote>[\"'`])(?P<text>(?:\\.|(?!(?P=quote))[^\\])*)(?P=quote)",
    re.DOTALL,
)
TAG = re.compile(r"\s*@\w+(?: \{.*\})?(?: \[?[\w.]+(?:=[^]]*)?\]?)?")  # of JSDoc, with its type and its name
TEXT_ATTRIBUTES = ("alt", "aria-label", "title", "placeholder", "content")
SQL = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|WITH|FROM|WHERE)\b")
PROPERTIES = re.compile(r"property|fixture|\.setter|overload")


@dataclass(frozen=True, slots=True)
class Prose:
    """A piece of text. Its `kind` decides which rules apply."""

    path: str
    line: int
    kind: str  # docstring, comment, message, page, made (of code), heading, table, bullet or name
    text: str
    of: str = ""  # of a docstring: module, class, function, or empty where the form is free


def sources(root: Path, paths: list[Path] | None = None) -> list[Path]:
    """List the files under the given paths, or in the root and its FOLDERS."""
    tops = [root / path for path in paths or FOLDERS]
    files = {file for top in tops for file in ([top] if top.is_file() else top.rglob("*"))}
    if not paths:
        files |= set(root.iterdir())
    ours = (file for file in files if not OTHERS.search(file.relative_to(root).as_posix()))
    return sorted(file for file in ours if file.is_file() and not file.is_symlink())


def prose_of(file: Path, root: Path) -> Iterator[Prose]:
    """Yield the prose of one file, or nothing for other formats."""
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
                docstrings.add(node.body[0].value)  # type: ignore[attr-defined]  # an expression
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
        (token.start[0], re.sub(r"noqa[:A-Z0-9, ]*(?:- )?|type: ignore\S*", "", token.string.lstrip("#! ")), token)
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
        if len(text.split()) >= MESSAGE and not SQL.search(text) and not text.startswith("<") and "\r\n" not in text:
            yield Prose(path, node.lineno, "message", text)


def _markdown(path: str, source: str) -> Iterator[Prose]:
    page = "made" if source.startswith("<!--") else "page"  # of a generated page
    bullet = "bullet" if Path(path).name == "CHANGELOG.md" else page
    start, text, kind, fence = 0, "", page, False
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
                start, kind = number, bullet if item else page
            text += (line[item.end() :] if item else stripped) + "\n"


def _unlinked(text: str) -> str:
    return re.sub(r"(`[^`]*`)|!?\[([^]]*)\]\([^)]*\)|<[^>]+>|\*\*", r"\1\2", text).strip()


def _script(path: str, source: str) -> Iterator[Prose]:
    lines: list[tuple[int, str]] = []
    for match in SCRIPT_PROSE.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        if match["block"]:
            text = re.sub(r"^\s*\*+ ?", "", match["block"], flags=re.MULTILINE)
            yield Prose(path, line, "comment", TAG.sub("\n\n", text).strip())
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
        self.texts += [(self.getpos()[0], value) for name, value in attrs if name in TEXT_ATTRIBUTES and value]

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
