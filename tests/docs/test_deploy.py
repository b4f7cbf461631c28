"""The files in deploy/, checked without containers."""

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml  # type: ignore[import-untyped]  # no types are installed
from aiohttp import web

from harness.ports import free_port
from harness.waiting import eventually
from tests.docs.test_nginx import as_this_user, open_port, program, temporary_paths
from tools.reference import DOCS

DEPLOY = DOCS.parent / "deploy"
ROLES = {"api", "live", "worker", "jobs"}
SECRETS = {"SCOREBOARD_SIGNING_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "RABBITMQ_PASSWORD"}


@pytest.fixture
def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_compose_runs_each_role_and_checks_the_health_of_each_service(compose: Any) -> None:
    services = compose["services"]
    assert services.keys() == ROLES | {"migrate", "nginx", "postgres", "redis", "rabbitmq"}
    for role in ROLES:
        assert services[role]["command"] == [role, "--host", "0.0.0.0"]  # noqa: S104 - in a container
        assert services[role]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["migrate"]["command"] == ["migrate"]
    assert all("test" in service["healthcheck"] for name, service in services.items() if name != "migrate")
    assert {service["image"] for name, service in services.items() if name in ROLES | {"migrate"}} == {
        "scoreboard:local"
    }


def test_compose_contains_no_secret_and_demands_each_missing_one(compose: Any) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    variables = re.findall(r"(?<!\$)\$\{([A-Z_]+)(:\?[^}]+)?\}", text)
    assert {name for name, _ in variables} == SECRETS
    assert all(advice for _, advice in variables)
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("URL|KEY|PASS", name):
                assert re.search(r"^(\$\{|[a-z]+://[a-z]*:\$\{)", value), name


def has_compose() -> bool:
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_compose(), reason="docker compose is not installed")
def test_docker_accepts_the_compose_file(tmp_path: Path) -> None:
    command = ["docker", "compose", "--env-file", str(tmp_path / "env"), "-f", str(DEPLOY / "compose.yaml"), "config"]
    (tmp_path / "env").write_text("")
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "deploy/.env" in refused.stderr
    (tmp_path / "env").write_text("".join(f"{name}=s3cret\n" for name in SECRETS))
    subprocess.run(command, capture_output=True, check=True)


def test_the_image_does_not_run_as_root_and_installs_only_hashed_packages() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    build, run = (i for i, line in enumerate(lines) if line.startswith("FROM "))
    assert build < run
    assert "USER scoreboard" in lines[run:]
    assert any(line.startswith("HEALTHCHECK") for line in lines[run:])
    installed = [line for line in lines if "pip install" in line]
    assert all("--require-hashes" in line or "--no-index" in line for line in installed)
    for lock in re.findall(r"requirements/\S+", " ".join(installed)):
        assert "--hash=sha256:" in (DEPLOY.parent / lock).read_text()


def test_the_nginx_configuration_has_the_directives_of_the_how_to() -> None:
    shown = (DOCS / "how-to" / "nginx.md").read_text()
    used = re.sub(r" #.*", "", (DEPLOY / "nginx.conf").read_text())
    for directive in (
        "client_max_body_size 4m;",
        "proxy_http_version 1.1;",
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Connection $connection_upgrade;",
        "proxy_buffering off;",
        "proxy_read_timeout 90s;",
        "deny all;",
        "keepalive 64;",
    ):
        assert directive in shown
        assert directive in used


@asynccontextmanager
async def role(name: str) -> AsyncIterator[int]:
    """Start a server that answers with its name, and yield its port."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(text=name)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def configured(folder: Path, port: int, api: int, live: int) -> Path:
    """Write the configuration with this test's addresses, to run outside a container."""
    text = (DEPLOY / "nginx.conf").read_text()
    for written, here in (
        ("api:8000", f"127.0.0.1:{api}"),
        ("live:8000", f"127.0.0.1:{live}"),
        ("listen 8080", f"listen 127.0.0.1:{port}"),
        ("worker_processes auto;", "worker_processes 1;"),
        ("worker_connections 32768;", "worker_connections 512;"),
        ("worker_rlimit_nofile 65536;", f"daemon off;\npid {folder}/pid;"),
        ("http {", f"http {{\n{temporary_paths(folder)}"),
    ):
        assert text.count(written) == 1
        text = text.replace(written, here)
    file = folder / "nginx.conf"
    file.write_text(as_this_user(text))
    return file


@contextmanager
def nginx(folder: Path, file: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([program(), "-p", str(folder), "-c", str(file), "-e", str(folder / "errors")]) as started:
        try:
            yield started
        finally:
            started.terminate()


@pytest.mark.slow
async def test_nginx_sends_each_request_to_its_role(tmp_path: Path) -> None:
    port = free_port()
    async with role("api") as api, role("live") as live, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        with nginx(tmp_path, configured(tmp_path, port, api, live)) as started:
            await eventually(lambda: open_port(port, started), "nginx listens")
            for path, wanted in (
                ("/v1/live", "live"),
                ("/v1/apps/game/boards/main/stream?season=all", "live"),
                ("/", "live"),
                ("/?app=game", "live"),
                ("/embed.js", "live"),
                ("/page/1a2b/client/live.js", "live"),
                ("/v1/page", "live"),
                ("/v1/apps/game/boards/main/top", "api"),
                ("/v1/apps/game/boards/main/scores", "api"),
                ("/v1/apps/stream", "api"),
                ("/docs", "api"),
                ("/health/live", "api"),
            ):
                async with http.get(path) as answer:
                    assert await answer.text() == wanted, path
            async with http.get("/metrics") as answer:
                assert answer.status == 403
