"""The documentation site: generated pages are current, and every link resolves."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.reference import DOCS, PAGES, made

ROOT = DOCS.parent


@pytest.mark.parametrize("page", PAGES)
def test_generated_pages_are_current(page: str) -> None:
    assert (DOCS / page).read_text() == made(page), "run `make docs`, and commit its changes"


def built(folder: Path) -> "subprocess.CompletedProcess[str]":
    zensical = Path(sys.executable).with_name("zensical")
    return subprocess.run([zensical, "build", "--strict"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_site_has_no_broken_link_and_loads_nothing_from_other_servers(source: Path) -> None:
    done = built(source)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = [source / "site" / page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")]
    for page in pages:
        fetched = re.findall(r'(?:src|srcset)="([^"]+)"|<link [^>]*href="([^"]+)"', page.read_text())
        assert [one for pair in fetched for one in pair if one.startswith(("http:", "https:", "//"))] == [], page


@pytest.mark.slow
@pytest.mark.parametrize("link", ["nowhere.md", "tutorial.md#nowhere", "reference/codes.md#no_such_code"])
def test_the_build_reports_a_broken_link(source: Path, link: str) -> None:
    with (source / "docs" / "index.md").open("a") as page:
        page.write(f"\n[broken]({link})\n")
    done = built(source)
    assert done.returncode != 0
    assert "does not exist" in done.stdout + done.stderr


def test_every_page_is_linked_from_another() -> None:
    written = {page.relative_to(DOCS): page.read_text() for page in DOCS.rglob("*.md")}
    for page in written:
        names = (page.as_posix(), page.name)
        linked = any(
            f"({name}" in text or f"/{name}" in text for p, text in written.items() if p != page for name in names
        )
        assert linked or page == Path("index.md"), f"no page links to docs/{page}"
