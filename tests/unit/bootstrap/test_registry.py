"""Tests of the registry: one plugin per scheme, imported when it is used."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.service import running
from harness.waiting import eventually
from scoreboard.application.ports.backend import BackendOptions
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.bootstrap import backends, registry
from scoreboard.bootstrap.diagnostics.servers import diagnose_servers
from scoreboard.bootstrap.settings import Settings, SettingsError

SECRET = "s3cret"
DRIVERS = ("asyncpg", "redis", "aio_pika", "aiormq")


def options(**given: str) -> BackendOptions:
    return backends.options_of(Settings(**given))  # type: ignore[arg-type]  # all are strings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"database_url": f"mysql://u:{SECRET}@h/d"}, "database_url must begin with postgresql:// or postgres://"),
        ({"database_url": "://h"}, "database_url must begin with postgresql://"),
        ({"database_url": SECRET}, "database_url must begin with postgresql://"),
        ({"database_replica_url": f"redis://:{SECRET}@h"}, "database_replica_url must begin with postgresql://"),
        ({"ranking_url": f"redis+{SECRET}://h"}, "ranking_url must begin with redis:// or rediss:// or unix://"),
        ({"ranking_url": "redis"}, "ranking_url must begin with redis://"),
        ({"queue_url": f"kafka://{SECRET}@h"}, "queue_url must begin with amqp:// or amqps://"),
    ],
)
def test_an_unknown_scheme_lists_the_supported_ones_without_secrets(given: dict[str, str], expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        backends.check_backends(options(**given))
    assert str(refused.value).startswith(expected)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"database_url": "postgresql://h/d"}, "also needs a ranking_url"),
        ({"ranking_url": "redis://h"}, "need a database_url"),
        ({"queue_url": "amqp://h/"}, "need a database_url"),
        ({"database_replica_url": "postgresql://h/d"}, "need a database_url"),
        ({"database_url": f"postgresql://u:{SECRET}@h:x/d", "ranking_url": "redis://h"}, "database_url: it must have"),
        ({"database_url": "postgresql://h/d", "ranking_url": f"redis://:{SECRET}/1@h"}, "ranking_url: "),
    ],
)
def test_an_incomplete_combination_of_urls_is_refused(given: dict[str, str], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected) as refused:
        backends.check_backends(options(**given))
    assert SECRET not in str(refused.value)


def test_every_built_in_plugin_can_be_imported() -> None:
    for setting, rows in registry.BUILT_IN.items():
        for scheme in (scheme for row in rows for scheme in row.schemes):
            assert registry.plugin(setting, f"{scheme}://h" if scheme else "")


@pytest.mark.parametrize(
    ("given", "driver", "extra"),
    [
        ({}, "asyncpg", "postgres"),
        ({}, "redis", "redis"),
        ({"queue_url": "amqp://h/"}, "aio_pika", "rabbitmq"),
    ],
)
def test_the_error_of_a_missing_driver_names_its_extra(given: dict[str, str], driver: str, extra: str) -> None:
    shared = {"database_url": "postgresql://h/d", "ranking_url": "redis://h", **given}
    output = run_in_process(
        f"sys.modules[{driver!r}] = None",
        "from scoreboard.bootstrap import backends",
        "from scoreboard.bootstrap.settings import Settings",
        f"backends.check_backends(backends.options_of(Settings(**{shared!r})))",
    )
    assert re.search(
        rf"_url: {driver}[.\w]* is not installed; run: pip install 'scoreboard\[{extra}\]'$", output.strip()
    )


def test_the_embedded_service_imports_no_driver(tmp_path: Path) -> None:
    output = run_in_process(
        "import asyncio, pathlib",
        "import scoreboard.cli.main",
        "from scoreboard.bootstrap.service import open_service",
        "from scoreboard.bootstrap.settings import load",
        "async def main():",
        f"    async with open_service(load({{}}, data=pathlib.Path({str(tmp_path)!r}))) as service:",
        "        await service.warmed.wait()",
        "asyncio.run(main())",
        f"print([name for name in {DRIVERS} if name in sys.modules])",
    )
    assert output == "[]\n"


def run_in_process(*lines: str) -> str:
    """Run these lines in a new interpreter; return its output."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(("import sys", *lines))],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return done.stdout + done.stderr


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution whose entry points add backends."""
    metadata = tmp_path / "added" / "added_backend-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: added-backend\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[scoreboard.backends.database_url]\nadded = tests.unit.bootstrap.added_backend:AddedDatabase\n"
        "[scoreboard.backends.ranking_url]\nadded = tests.unit.bootstrap.added_backend:AddedRanking\n"
        "[scoreboard.backends.queue_url]\nadded = no_such_module:Queue\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "added")


@pytest.mark.usefixtures("added")
async def test_another_distribution_adds_a_backend(tmp_path: Path) -> None:
    async with running(tmp_path / "data", database_url="added://h", ranking_url="added://h") as service:
        board = await service.board()
        server = service.client("server", "game")
        (await server.post(f"{board}/scores", {"player": "ann", "increment": 5})).ok()
        assert (await server.get(f"{board}/top")).ok()["entries"][0]["score"] == 5

        async def probed() -> bool:
            return b'scoreboard_server_up{server="added-ranking"} 1.0' in (await server.get("/metrics")).raw

        await eventually(probed, "the server of the plugin is probed under its name")


@pytest.mark.usefixtures("added")
async def test_the_doctor_uses_an_added_plugin() -> None:
    findings, usable = await diagnose_servers(options(database_url="added://h", ranking_url="added://u:p@down"))
    assert usable
    assert findings == [
        Finding("added-database", "ok", "it answers"),
        Finding("added-ranking", "problem", "added://(hidden)@down: it does not answer", "start it"),
    ]
    with pytest.raises(SettingsError, match=r"^ranking_url: it is not like added://host$"):
        await diagnose_servers(options(database_url="added://h", ranking_url="added://wrong"))


@pytest.mark.usefixtures("added")
def test_errors_list_added_schemes_and_missing_modules() -> None:
    with pytest.raises(SettingsError, match=r"must begin with amqp:// or amqps:// or added://$"):
        registry.check_scheme("queue_url", "kafka://h")
    with pytest.raises(SettingsError, match=r"^queue_url: no_such_module is not installed$"):
        registry.server_plugin("queue_url", "added://h")
