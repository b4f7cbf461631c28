"""`python -m tools.language`: the check of the project's written English.

The rules are the data below. Findings are printed as `path:line: rule: text`, and counted by rule and by folder.
"""

import re
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.prose import Prose, prose_of, sources

ROOT = Path(__file__).parents[1]
FIRST_LINE = 80  # characters of the first line of a docstring
SENTENCE = 25  # words of a sentence
CHAIN = 2  # colons and semicolons that make a sentence a chain
BULLET = 100  # characters of the first sentence of a changelog entry
CHAINED = ("docstring", "comment", "page")  # kinds of prose in which chains are looked for
ODDITIES = 0.5  # per 1,000 docstring words of src/
ODD_RULES = ("subject", "word")  # the rules whose findings are oddities

# Words of the dialect, as patterns, and what to write instead.
BANNED = {
    r"told|tells?|telling": "return, send, log, notify, distinguish",
    r"heard|hears?|hearing": "receive",
    r"said|says? nothing|says? so": "return, report, state",
    r"for ever": "permanently, until cancelled",
    r"anew|afresh": "again, from scratch",
    r"(?<!right )(?<!straight )away": "unreachable, down",
    r"no more(?! than)": "no longer",
    r"mend(?:s|ed|ing)?": "fix, repair",
    r"meanwhile": "while ...",
    r"by (?:itself|themselves)": "alone, automatically",
    r"again and again|once more": "repeatedly, again",
    r"whoever|whatever": "name the subject",
    r"go(?:es)? on|went on|going on": "continue",
    r"by now": "already",
    r"at first": "initially, by default",
    r"of (?:its|their|his|her) own": "its own, separate",
    r"nothing (?:of|but)|none but": "nothing in, only",
    r"in (?:hand|force)|in \w+'s hands": "in flight, current",
    r"(?:come|comes|came|coming) back": "recover, return, reconnect",
    r"(?:bring|brings|brought) back": "restore",
    r"beside": "next to, alongside",
    r"lest|in the manner of|without end": "so that, like, indefinitely",
    r"(?:is|are|was|were) to be": "must be",
    r"(?:became|becomes?) of": "the outcome of",
    r"be had": "be obtained",
    r"made whole|makes? whole": "restore, complete",
    r"lets? us in|let in|lets? in": "accept, authenticate",
    r"(?:an?|without|no) goodbye": "a close frame",
    r"on (?:its|their) way": "in flight",
    r"(?:short|ordinary) way": "fast path, slow path",
    r"way of (?:an|the|every) update": "path of an update",
    r"doors?": "endpoint, handler",
    r"wish(?:es)?": "request",
    r"bury|buries|buried|d[iu]gs? up": "dead-letter, requeue",
    r"gives? way|gave way": "yield",
    r"lanes?": "partition key",
    r"forg[eo]t(?:s|ten|ting)?": "delete, purge, invalidate",
    r"recall(?:s|ed|ing)?": "replay, find",
    r"versions? before(?=[.,;:)]| [a-z])": "previous version",
}
BANNED_RE = {re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE): use for pattern, use in BANNED.items()}
ANY_BANNED = re.compile(rf"\b(?:{'|'.join(BANNED)})\b", re.IGNORECASE)

# A sentence that starts so has a clause or a pronoun as its subject.
CLAUSE = re.compile(r"(?:What|Who|Whom|Whose|Which|Whether|(?:One|That|Those|These) (?:that|who|which))\b(?!:)")
# A first line that starts so has a pronoun as its subject, or is no noun phrase.
PRONOUN = re.compile(
    r"(?:How|Where|When|Why|While|If|As|Because|Given|It|Its|They|Their|He|She|We|You|This|That|These|Those|Nothing"
    r"|Something|Somebody|Nobody|Everything|Each is|There)\b"
)
VERB_PHRASE = re.compile(r"(?!All |Both |Half |Only |The |One )\w+ (?:an?|the|its|their|each|every|what|who|how|one)\b")
SUBORDINATE = r"(?:that|which|who|whose|to|before|after|when|while|until|as|where|if|how|what|why|with)\b"
FINITE = re.compile(rf"(?:(?!{SUBORDINATE})\S+ ){{1,4}}?(?:is|are|was|were|has|have|may|must|can|cannot)\b")

# Lines that are no sentences: indented code, and lines of a table.
ASIDE = re.compile(r"\n(?:  +[^\n]*|[^\n]*\S  +\S[^\n]*)(?=\n|$)")

# The name above its description in a section of parameters.
PARAMETER = re.compile(r"\n\S+(?: : [^\n]*)?\n {4}(?=\S)|\n\w+\n-{3,}")

# First words that are no imperative.
NOT_VERBS = frozenset(
    re.findall(
        r"\w+",
        """
    app behind best concurrent head idempotency live median persistent processor random resident size window
    a after again all also an another any are as at be because before between both but by can drawn each either
    every exact false few five for four from given had has he held here how i if in into is it its json just
    kept known last made many more most neither never new next no nobody none not nothing of old on one only
    other our out over path same score seen sent several she shown since so some somebody something taken ten
    text than that the their them then there these they this those three through to together too true two under
    unless until value we weak what whatever when where whether which while who whoever whom whose why with
    within without written you your
        """,
    )
)
NOT_VERB_ENDINGS = re.compile(r"(?:[a-z]{2,}(?:ing|ed)|[a-z]+(?:s|ly|tion|sion|ness|ity|ment))$")
VERBS = frozenset(
    re.findall(
        r"\w+",
        """
    access address apply assess augment bring bypass canvass caution comment complement comply compress
    cross decrement discuss dismiss document embed exceed experiment express feed focus guess
    implement imply increment mention miss multiply need partition pass ping press proceed
    process provision rely reply ring seed segment shed shred succeed
    supplement supply swing tally transition witness
        """,
    )
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One offence against one rule."""

    path: str
    line: int
    rule: str
    text: str
    kind: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def is_imperative(text: str) -> bool:
    """Return whether the first word can be a verb in the imperative."""
    match = re.match(r"([A-Z][A-Za-z-]*)(?! of )(?=[\s,.;]|$)", text)
    if not match:
        return False
    word = match[1].lower()
    return word in VERBS or not (word in NOT_VERBS or NOT_VERB_ENDINGS.match(word) or match[1][1:] != word[1:])


def sentences(paragraph: str) -> list[str]:
    """Split a paragraph into its sentences."""
    text = " ".join(paragraph.split())
    text = re.sub(r"\b(e\.g|i\.e|etc|vs|cf)\.", r"\1", text)
    return re.split(r"(?<=[.!?])[\"')]*\s+(?=[A-Z`\"'(\[0-9])", text)


def plain(text: str) -> str:
    """Replace code in backticks, and addresses, by one neutral word."""
    return re.sub(r"``?[^`]+``?|\bhttps?://\S+", "`x`", text)


def _words(prose: Prose) -> Iterator[tuple[str, str]]:
    text = plain(" ".join(prose.text.split()))
    if not ANY_BANNED.search(text):
        return
    for pattern, use in BANNED_RE.items():
        for match in pattern.finditer(text):
            around = text[max(0, match.start() - 30) : match.end() + 30]
            yield "word", f'"{match[0]}" (write: {use}) in "{around.strip()}"'


def _sentences(prose: Prose) -> Iterator[tuple[str, str]]:
    for paragraph in re.split(r"\n\s*\n|\n\s*[-*] ", ASIDE.sub("\n", PARAMETER.sub("\n\n", prose.text))):
        for sentence in sentences(plain(paragraph)):
            count = len([word for word in sentence.split() if any(map(str.isalnum, word))])
            if count > SENTENCE and prose.kind not in ("table", "made"):
                yield "long", f"{count} words: {sentence[:90]}"
            if prose.kind in CHAINED and len(re.findall(r"[:;](?=\s|$)", sentence)) >= CHAIN:
                yield "chain", sentence[:90]
            if prose.kind != "heading" and CLAUSE.match(sentence) and not sentence.endswith("?"):
                yield "subject", sentence[:90]


def _first_line(prose: Prose) -> Iterator[tuple[str, str]]:
    lines = prose.text.splitlines()
    first = lines[0]
    if len(first) > FIRST_LINE:
        yield "first-line", f"{len(first)} characters: {first}"
    if not first.endswith("."):
        yield "first-line", f"no period at the end: {first}"
    if prose.of == "function":
        if not is_imperative(first):
            yield "imperative", first
    elif prose.of in ("class", "module"):
        text = plain(first)
        if PRONOUN.match(text):
            yield "subject", first
        elif not CLAUSE.match(text) and (VERB_PHRASE.match(text) or (":" not in text and FINITE.match(text))):
            yield "noun-phrase", first


def _bullet(prose: Prose) -> Iterator[tuple[str, str]]:
    first = sentences(prose.text)[0]
    if not is_imperative(first):
        yield "imperative", first[:90]
    if len(first) > BULLET:
        yield "bullet", f"{len(first)} characters: {first}"


def check(prose: Prose) -> list[Finding]:
    """Return what offends against the rules in one piece of prose."""
    found = list(_words(prose))
    if prose.kind != "name":
        found += _sentences(prose)
    if prose.kind == "docstring":
        found += _first_line(prose)
    elif prose.kind == "bullet":
        found += _bullet(prose)
    return [Finding(prose.path, prose.line, rule, text, prose.kind) for rule, text in found]


def report(files: list[Path], root: Path) -> tuple[list[Finding], int]:
    """Check files; return the findings and the number of docstring words in src/."""
    findings: list[Finding] = []
    words = 0
    for file in files:
        for prose in prose_of(file, root):
            findings += check(prose)
            if prose.kind == "docstring" and prose.path.startswith("src/"):
                words += len(prose.text.split())
    return findings, words


def oddities(findings: list[Finding], words: int) -> float:
    """Return the oddities per 1,000 docstring words of src/."""
    odd = [f for f in findings if f.kind == "docstring" and f.path.startswith("src/") and f.rule in ODD_RULES]
    return 1000 * len(odd) / max(words, 1)


def main(arguments: list[str]) -> int:
    """Print the report; return 1 when there are findings."""
    parser = ArgumentParser(prog="python -m tools.language", description="Check the project's written English.")
    parser.add_argument("--paths", nargs="+", type=Path, help="files and folders to check (default: the whole tree)")
    parser.add_argument("--rules", nargs="+", help="rules to print findings of (default: all)")
    parser.add_argument("--summary", action="store_true", help="print only the counts")
    options = parser.parse_args(arguments)
    findings, words = report(sources(ROOT, options.paths), ROOT)
    if options.rules:
        findings = [finding for finding in findings if finding.rule in options.rules]
    if not options.summary:
        print(*findings, sep="\n")
    rules = sorted({finding.rule for finding in findings})
    counts = Counter((finding.path.split("/")[0], finding.rule) for finding in findings)
    print(f"{'':14}" + "".join(f"{rule:>13}" for rule in [*rules, "all"]))
    for top in sorted({finding.path.split("/")[0] for finding in findings}):
        row = [counts[top, rule] for rule in rules]
        print(f"{top:14}" + "".join(f"{count:13}" for count in [*row, sum(row)]))
    rate = oddities(findings, words)
    print(f"{len(findings)} findings; {rate:.1f} oddities per 1,000 docstring words of src/ (at most {ODDITIES})")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
