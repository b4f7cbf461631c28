"""`scoreboard dlq` with a real queue."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema_rs
import pytest

from harness.client import Client
from harness.missing import missing
from harness.ports import free_port
from harness.servers import postgres, rabbitmq, redis
from harness.servers.rabbitmq import Broker
from harness.waiting import eventually
from scoreboard.adapters.rabbitmq.topology import NAME, Topology
from scoreboard.entrypoints.contracts.v1.examples import EXAMPLES_WITH_QUEUE
from tests.acceptance.command_line import CommandLine


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_without_a_queue_there_are_no_dead_letters(cli: CommandLine) -> None:
    assert cli.run("dlq", "list").ok().err == "There are no dead letters.\n"
    cli.run("dlq", "show", "x").failed(1, "letter_not_found")
    cli.run("dlq", "retry").failed(2, "--all")
    cli.run("dlq", "retry", "x", "--all").failed(2, "--all")
    cli.run("dlq", "drop", "--all").failed(2, "--yes")
    cli.run("dlq", "list", "--limit", "1001").failed(2, "--limit")


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Start a separate server, as the names of the queues are fixed."""
    if not rabbitmq.PROGRAM.exists():
        missing("install rabbitmq-server")
    with rabbitmq.started() as server:
        yield server


async def dead_letter_all(url: str, reason: str) -> None:
    """Dead-letter all messages in the queue, as a worker does."""
    async with rabbitmq.open_queue(url, Topology(NAME)) as opened:
        for delivery in await opened.receive(10):
            await opened.dead_letter(delivery, delivery.message.body, reason)


def validate_example(document: Any, name: str, response: Any) -> None:
    """Check a response and its example against the schema, and their fields."""
    (operation,) = [o for p in document["paths"].values() for o in p.values() if o["operationId"] == name]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
    (example,) = EXAMPLES_WITH_QUEUE[name]
    for body in (response, example.response):
        validator.validate(body)
    assert response.keys() == example.response.keys()


@pytest.mark.slow
async def test_dead_letters_are_listed_retried_and_dropped(cli: CommandLine, broker: Broker, redis_url: str) -> None:
    cli.environment |= {
        "SCOREBOARD_DATABASE_URL": await postgres.fresh_database(),
        "SCOREBOARD_RANKING_URL": redis.emptied(redis_url),
        "SCOREBOARD_QUEUE_URL": broker.url,
        "SCOREBOARD_SIGNING_KEY": "k" * 32,
    }
    cli.run("apps", "create", "game").ok()
    cli.run("boards", "create", "main", "--app", "game", "--consistency", "queued").ok()
    token = cli.run("token", "admin", "--app", "*").ok().out.strip()
    url = f"http://127.0.0.1:{(port := free_port())}"
    at = ("--url", url, "--token", token)
    async with aiohttp.ClientSession() as http:
        operator = Client(http, url, token)
        with cli.started("api", "--port", str(port)) as api:
            api.wait_for("API ")
            events: list[str] = []

            async def send() -> bool:
                response = await operator.post("/v1/apps/game/boards/main/scores", {"player": "ann", "increment": 5})
                events.extend([response.body["event"]] if response.status == 202 else ())
                return response.status == 202

            for reason in ("not_storable", "tampered: no"):
                await eventually(send, "the service is connected to the queue")
                await dead_letter_all(broker.url, reason)
            first, second = cli.run("dlq", "list", "--json", *at).json
            assert [(one["reason"], one["count"]) for one in (first, second)] == [
                ("not_storable", 1),
                ("tampered: no", 1),
            ]
            shown = cli.run("dlq", "show", first["letter"], "--json").json  # without the API of the running server
            (update,) = shown["updates"]
            assert (update["board"], update["player"], update["value"], update["event"]) == (
                "main",
                "ann",
                5,
                events[0],
            )
            document = (await operator.get("/openapi.json")).ok()
            validate_example(document, "getDeadLetter", shown)
            validate_example(document, "listDeadLetters", (await operator.get("/v1/dead-letters")).ok())
            assert first["letter"] in cli.run("dlq", "list", *at).ok().out
            assert "not_storable" in cli.run("dlq", "show", first["letter"], *at).ok().out
            admin = Client(http, url, cli.run("token", "admin", "--app", "game").ok().out.strip())
            (await admin.get("/v1/dead-letters")).refused(403, "operator_only")
            cli.run("dlq", "drop", second["letter"], "--yes", *at).ok()
            cli.run("dlq", "drop", second["letter"], "--yes", *at).failed(1, "letter_not_found")
            dropped = (await operator.get(f"/v1/apps/game/events/{events[1]}")).ok()
            assert (dropped["status"], dropped["code"]) == ("refused", "dropped")
            cli.run("dlq", "retry", "--all", *at).ok()
            assert cli.run("dlq", "list", "--json", *at).json == []

            async def applied() -> bool:
                return bool((await operator.get(f"/v1/apps/game/events/{events[0]}")).ok()["status"] == "applied")

            with cli.started("worker", "--port", "0"):
                await eventually(applied, "the retried update is applied")
