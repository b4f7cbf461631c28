"""`python -m tools.commit_subjects [RANGE]`: the check of commit subjects.

Without a range it checks the commits since BASE.
"""

import subprocess
import sys
from pathlib import Path

from tools.language import is_imperative

ROOT = Path(__file__).parents[1]
BASE = "f177813c628833fc6efb1da70d7e876cede1d4a0"  # the newest commit whose subject the rule does not bind
LENGTH = 72  # characters


def offences(subject: str) -> list[str]:
    """Return what offends against the rule in one subject."""
    found = []
    if len(subject) > LENGTH:
        found.append(f"{len(subject)} characters, at most {LENGTH}")
    if not is_imperative(subject):
        found.append("no imperative verb at the start, with a capital letter")
    if subject.endswith("."):
        found.append("a period at the end")
    return found


def _git(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["git", "-c", "safe.directory=*", *arguments]  # a container may run as another user than the clone's
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - constant


def subjects(root: Path, commits: str) -> list[tuple[str, str]]:
    """List the id and the subject of each commit in a range, without merges."""
    listed = _git(root, "log", "--no-merges", "--format=%h %s", commits)
    if listed.returncode:
        raise SystemExit(f"git log {commits}: {listed.stderr.strip()}")
    return [(line.split(" ", 1)[0], line.partition(" ")[2]) for line in listed.stdout.splitlines()]


def since_base(root: Path) -> str:
    """Return the range since BASE, or all that a shallow clone without BASE has."""
    known = _git(root, "cat-file", "-e", f"{BASE}^{{commit}}").returncode == 0
    return f"{BASE}..HEAD" if known else "HEAD"


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Print the offences; return 1 when there are any."""
    if not (root / ".git").exists():
        print("not a git clone: no commit subjects to check")
        return 0
    commits = subjects(root, arguments[0] if arguments else since_base(root))
    found = [f"{commit} {subject}: {offence}" for commit, subject in commits for offence in offences(subject)]
    print(*found, f"{len(commits)} commit subjects, {len(found)} offences", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
