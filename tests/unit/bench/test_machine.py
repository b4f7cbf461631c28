"""A report names the interpreter and its build, because builds differ in speed."""

import platform
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import machine, report
from bench.run import Sizes

PLAIN = "'--enable-shared' 'LDFLAGS=-L/somewhere -Wl,-rpath,/somewhere'"
OPTIMISED = "'--enable-optimizations' '--with-lto=full'"


@pytest.mark.parametrize(
    ("prefix", "arguments", "schemes", "origin"),
    [
        ("/usr", PLAIN, ("deb_system", "posix_prefix"), "Debian package"),
        ("/home/ann/.pyenv/versions/3.11.7", PLAIN, ("posix_prefix",), "pyenv"),
        ("/opt/pyenv/versions/3.11.7", PLAIN, ("posix_prefix",), "pyenv"),
        ("/home/ann/python", "'--prefix=/install' '--with-lto'", ("posix_prefix",), "python-build-standalone"),
        ("/usr/local", OPTIMISED, ("posix_prefix",), "other build"),
    ],
)
def test_who_built_an_interpreter(prefix: str, arguments: str, schemes: tuple[str, ...], origin: str) -> None:
    assert machine.build_origin(Path(prefix), arguments, schemes) == origin


def test_an_interpreter_of_conda(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    assert machine.build_origin(tmp_path, OPTIMISED, ("posix_prefix",)) == "conda"


@pytest.mark.parametrize(
    ("arguments", "optimised"),
    [
        (PLAIN, "no PGO, no LTO"),
        ("", "no PGO, no LTO"),
        (OPTIMISED, "PGO, LTO"),
        ("'--enable-optimizations'", "PGO, no LTO"),
        ("'--enable-optimizations' '--with-lto=no'", "PGO, no LTO"),
        ("'CFLAGS=--with-lto' '--with-lto'", "no PGO, LTO"),
    ],
)
def test_how_an_interpreter_was_optimised(arguments: str, optimised: str) -> None:
    assert machine.optimisations(arguments, "pyenv") == optimised


def test_debian_optimises_without_recording_it() -> None:
    assert machine.optimisations(PLAIN, "Debian package") == "PGO and LTO by its packaging"


def test_a_report_names_this_interpreter(tmp_path: Path) -> None:
    here = machine.describe(tmp_path)
    page = " ".join(report.markdown([], here, Sizes(), {}, datetime.now(UTC)).split())
    assert f"{platform.python_implementation()} {platform.python_version()} ({machine.python_build()}), " in page
    assert platform.python_compiler() in machine.python_build()
    written = report.write(tmp_path, [], here, Sizes(), limits={}, only=[20])
    assert machine.python_build() in written.read_text()
