"""Each rule of the language check finds its offences, and nothing else."""

from pathlib import Path

import pytest

from tools.language import check, is_imperative, main, oddities, report
from tools.prose import Prose, prose_of, sources


def rules(text: str, kind: str = "docstring", of: str = "") -> list[str]:
    return [finding.rule for finding in check(Prose("src/x.py", 1, kind, text, of))]


@pytest.mark.parametrize(
    "text",
    [
        "Return the usage counter key, or None for an unlimited action.",
        "Apply a batch in one transaction.",
        "Process what a consumer acknowledged.",
        "Feed the index.",
        "Set up the pool.",
        "Re-read the directory.",
    ],
)
def test_an_imperative_opens_a_function(text: str) -> None:
    assert rules(text, of="function") == []


@pytest.mark.parametrize(
    "text",
    [
        "The exit status.",
        "Returns the score.",
        "Waiting requests.",
        "Measured figures.",
        "JSON lines.",
        "`pid` and its children.",
        "Part of a page.",
        "Usually the newest.",
        "Position.",
    ],
)
def test_another_opening_of_a_function_is_found(text: str) -> None:
    assert rules(text, of="function") == ["imperative"]
    assert rules(text) == []


@pytest.mark.parametrize("of", ["class", "module"])
@pytest.mark.parametrize(
    "text",
    [
        "A bounded cache of players.",
        "Limits of a batch, in submissions.",
        "`scoreboard token`: the command that issues tokens.",
        "One player's standing.",
        "Rules that are checked inside the transaction.",
        "Checks before an update is routed.",
        "All the standings of a table.",
    ],
)
def test_a_noun_phrase_opens_a_class_or_a_module(text: str, of: str) -> None:
    assert rules(text, of=of) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("What the scripts return.", "subject"),
        ("Who leads the table.", "subject"),
        ("One that is newer.", "subject"),
        ("How keys are named.", "subject"),
        ("It may fail.", "subject"),
        ("Keeps the newest standing.", "noun-phrase"),
        ("Decide a batch.", "noun-phrase"),
        ("The address cannot be used.", "noun-phrase"),
        ("`line` is the number of the row.", "noun-phrase"),
    ],
)
def test_a_clause_that_opens_a_class_is_found(text: str, rule: str) -> None:
    assert rules(text, of="class") == [rule]


def test_the_first_line_is_a_sentence_of_80_characters() -> None:
    assert rules("Return " + "x" * 72 + ".") == []
    assert rules("Return " + "x" * 73 + ".") == ["first-line"]
    assert rules("Return the score of a player in a table, or None\nwithout one.") == ["first-line"]


def test_a_sentence_has_at_most_25_words() -> None:
    words = " ".join(["word"] * 25)
    assert rules(f"Start.\n\n{words}.") == []
    assert rules(f"Start.\n\n{words} more.") == ["long"]
    assert rules(f"{words} more.", "table") == []
    assert rules(f"{words}. More words.", "page") == []


def test_lists_tables_and_code_are_no_sentences() -> None:
    words = " ".join(["word"] * 20)
    assert rules(f"List them:\n\n- {words}\n- {words}", "page") == []
    assert rules("Run.\n\n    " + "code " * 40) == []
    assert rules("Run.\n\nThe " + "`some code` " * 10 + ".") == []


def test_the_description_of_a_parameter_is_a_sentence() -> None:
    assert rules("Show it.\n\nParameters\n----------\nboard\n    Whose board it is.\nn\n    A number.") == ["subject"]


@pytest.mark.parametrize("kind", ["docstring", "comment", "page"])
def test_a_chain_is_found(kind: str) -> None:
    assert rules("Two parts: one; the other.", kind) == ["chain"]
    assert rules("One part; the other. At 12:30 in `a: b; c`: done.", kind) == []


def test_a_clause_as_the_subject_of_any_sentence_is_found() -> None:
    assert rules("Return it. Who asks too often is refused.") == ["subject"]
    assert rules("Whether it is readable without a token", "message") == ["subject"]
    assert rules("Who may write? Only a server.", "page") == []
    assert rules("What it promises", "heading") == []
    assert rules("Who: any token.", "page") == []


@pytest.mark.parametrize(
    "text",
    [
        "Clients are told to reconnect.",
        "Retry for ever.",
        "Begin anew.",
        "Redis is away.",
        "It takes no more updates.",
        "The message is buried.",
        "Whoever asks gets it.",
        "A cursor of its own.",
    ],
)
def test_a_banned_word_is_found_with_another_to_write(text: str) -> None:
    [finding] = check(Prose("src/x.py", 7, "comment", text))
    assert (finding.rule, str(finding).startswith("src/x.py:7: word: ")) == ("word", True)
    assert "(write: " in finding.text


def test_a_banned_word_is_allowed_in_code_and_in_idioms() -> None:
    assert rules("Set `queue_away` right away, and allow no more than three.", "comment") == []


def test_a_changelog_entry_starts_with_a_short_imperative_sentence() -> None:
    assert rules("Add a `batch` endpoint. It takes up to 1,000 updates.", "bullet") == []
    assert rules("A `batch` endpoint.", "bullet") == ["imperative"]
    assert rules("Add " + "x" * 100 + ".", "bullet") == ["bullet"]


def found(tmp_path: Path, name: str, text: str) -> list[tuple[int, str, str]]:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return [(prose.line, prose.kind, prose.text) for prose in prose_of(file, tmp_path)]


def test_the_prose_of_python_is_docstrings_comments_names_of_tests_and_messages(tmp_path: Path) -> None:
    source = '''"""A module."""

# Two lines
# of one comment.
QUERY = "SELECT id FROM players WHERE id"  # noqa: S608 - no input


def test_it_works():
    raise ValueError(f"the {QUERY} is not valid here")
'''
    assert found(tmp_path, "src/x.py", source) == [
        (1, "docstring", "A module."),
        (8, "name", "test it works"),
        (3, "comment", "Two lines of one comment."),
        (5, "comment", "no input"),
        (9, "message", "the `x` is not valid here"),
    ]


def test_properties_fixtures_and_tests_are_free_in_form(tmp_path: Path) -> None:
    source = """
class A:
    '''A class.'''
    @property
    def b(self): '''The b.'''
    def c(self): '''The c.'''
    def __len__(self): '''The length.'''
"""
    (tmp_path / "x.py").write_text(source)
    described = {prose.text: prose.of for prose in prose_of(tmp_path / "x.py", tmp_path)}
    assert described == {"A class.": "class", "The b.": "", "The c.": "function", "The length.": ""}


def test_the_prose_of_markdown_is_outside_of_code(tmp_path: Path) -> None:
    source = "# Title\n\nA [link](x.md) to\nit.\n\n```sh\ncode\n```\n| a | b |\n- One\n  entry.\n- Two.\n"
    assert found(tmp_path, "x.md", source) == [
        (1, "heading", "Title"),
        (3, "page", "A link to\nit."),
        (9, "table", "a   b"),
        (10, "page", "One\nentry."),
        (12, "page", "Two."),
    ]
    assert found(tmp_path, "CHANGELOG.md", "- Add it.\n") == [(1, "bullet", "Add it.")]


def test_the_prose_of_a_script_is_comments_and_messages(tmp_path: Path) -> None:
    source = (
        '/** Dial. @param {string} url the address */\n// One\n// two.\nshow("the server does not answer", "short");\n'
    )
    assert found(tmp_path, "x.js", source) == [
        (1, "comment", "Dial.\n\n the address"),
        (4, "message", "the server does not answer"),
        (2, "comment", "One two."),
    ]


def test_the_prose_of_a_page_is_its_texts(tmp_path: Path) -> None:
    source = '<p title="A hint">Text</p><script>code()</script>'
    assert [text for _, _, text in found(tmp_path, "x.html", source)] == ["A hint", "Text"]


def test_the_prose_of_sql_and_settings_is_comments(tmp_path: Path) -> None:
    assert found(tmp_path, "x.sql", "-- name: a\n-- Why.\nSELECT 1;\n") == [(2, "comment", "Why.")]
    assert found(tmp_path, "x.yaml", "a: 1  # Why.\n") == [(1, "comment", "Why.")]


def test_only_files_of_the_project_are_checked(tmp_path: Path) -> None:
    for name in ("src/a.py", "docs/third_party/b.js", "data/c.py", "README.md"):
        found(tmp_path, name, "")
    assert [file.name for file in sources(tmp_path)] == ["README.md", "a.py"]
    assert [file.name for file in sources(tmp_path, [Path("src")])] == ["a.py"]


def test_oddities_are_counted_in_docstrings_of_the_source(tmp_path: Path) -> None:
    found(tmp_path, "src/a.py", '"""What is told."""\n# It is told.\n')
    found(tmp_path, "tests/b.py", '"""What is told."""\n')
    findings, words = report(sources(tmp_path), tmp_path)
    assert (words, oddities(findings, words)) == (3, 2000 / 3)


def test_the_tree_has_no_findings(capsys: pytest.CaptureFixture[str]) -> None:
    status = main([])
    assert status == 0, capsys.readouterr().out


def test_a_verb_is_one_word_with_a_capital() -> None:
    assert is_imperative("Bring it")
    assert not is_imperative("add it")
    assert not is_imperative("CLI: add it")
    assert not is_imperative("")
