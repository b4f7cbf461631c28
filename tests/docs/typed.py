"""What a page of the documents tells a reader to type and to save, in its order."""

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]*)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """`title` is the terminal it is typed in, or the name of the file it is saved as."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found.groups(default="")) for found in _BLOCK.finditer(page.read_text())]
