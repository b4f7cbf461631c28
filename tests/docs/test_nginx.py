"""The nginx configuration of the how-to, in a real nginx in front of the service."""

import asyncio
import io
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import pytest

from harness.client import JSON, Client
from harness.missing import missing
from harness.ports import free_port
from harness.service import Running, running
from harness.waiting import BOUND_S, eventually
from tests.docs.typed import blocks
from tools.reference import DOCS

NAME = "scores.example.com"


def program() -> str:
    """Return the path of nginx. Without it the test is skipped, and CI fails."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    return found or missing("install nginx")


def configured(folder: Path, port: int, service: Running) -> Path:
    """Write the how-to's configuration with this test's addresses and certificate."""
    (shown,) = [block.text for block in blocks(DOCS / "how-to" / "nginx.md") if block.language == "nginx"]
    for written, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("127.0.0.1:8000", f"127.0.0.1:{service.port}"),
        (f"/etc/ssl/{NAME}", f"{folder}/cert"),
    ):
        assert written in shown
        shown = shown.replace(written, here)
    around = (
        f"daemon off;\npid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary_paths(folder)}{shown}\n}}\n"
    )
    file = folder / "nginx.conf"
    file.write_text(as_this_user(around))
    return file


def temporary_paths(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)


def as_this_user(configuration: str) -> str:
    return f"user root;\n{configuration}" if os.geteuid() == 0 else configuration


@contextmanager
def nginx(folder: Path, port: int, service: Running) -> Iterator["subprocess.Popen[bytes]"]:
    """Run nginx in front of the service, with a self-signed certificate."""
    request = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN={NAME} -days 1 -keyout cert.key -out cert.pem"
    subprocess.run(request.split(), cwd=folder, check=True, capture_output=True)
    file = configured(folder, port, service)
    command = [program(), "-p", str(folder), "-c", str(file), "-e", str(folder / "errors")]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as started:
        try:
            yield started
        finally:
            started.terminate()


@asynccontextmanager
async def proxied(service: Running, folder: Path) -> AsyncIterator[str]:
    """Run nginx in front of the service, and yield its address."""
    port = free_port()
    with nginx(folder, port, service) as started:
        await eventually(lambda: open_port(port, started), "nginx listens")
        yield f"https://127.0.0.1:{port}"


async def open_port(port: int, started: "subprocess.Popen[bytes]") -> bool:
    assert started.poll() is None, "nginx ended"
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@pytest.mark.slow
async def test_updates_reads_and_live_connections_pass_through(tmp_path: Path) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with (
        running(tmp_path / "data") as service,
        proxied(service, tmp_path) as url,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting), headers={"Host": NAME}) as http,
    ):
        board = await service.board()
        game = Client(http, url, service.token("server", "game"))
        async with http.ws_connect(f"{url}/v1/live", origin=f"https://{NAME}") as socket:
            await socket.send_json({"type": "subscribe", "app": "game", "board": "main"})
            assert [(await socket.receive_json(timeout=BOUND_S))["type"] for _ in range(2)] == ["subscribed", "top"]
            async with http.get(f"{url}{board}/stream") as stream:
                assert await asyncio.wait_for(stream.content.readuntil(b"data: "), BOUND_S)
                assert (await game.post(f"{board}/scores", {"player": "ann", "increment": 5})).ok()["rank"] == 1
                assert (await socket.receive_json(timeout=BOUND_S))["entries"][0]["score"] == 5
                assert b'"ann"' in await asyncio.wait_for(stream.content.readuntil(b'"score":5'), BOUND_S)
        updates = [{"player": "bob", "increment": 1, "metadata": "x" * 2_000} for _ in range(1_000)]
        batch = io.BytesIO(json.dumps({"updates": updates}).encode())
        sent = {"Authorization": f"Bearer {game.token}", "Content-Type": JSON}
        async with http.post(f"{url}{board}/scores/batch", data=batch, headers=sent) as answer:
            assert (await answer.json())["applied"] == 1_000
        assert (await game.get("/metrics")).status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(f"{url}/v1/live", origin="https://elsewhere.example")
        assert refused.value.status == 403
