"""Dead letters from the command line, with a real queue behind the service."""

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


def test_without_a_queue_there_are_none(cli: CommandLine) -> None:
    assert cli.run("dlq", "list").ok().err == "There are no dead letters.\n"
    cli.run("dlq", "show", "x").failed(1, "letter_not_found")
    cli.run("dlq", "retry").failed(2, "--all")
    cli.run("dlq", "retry", "x", "--all").failed(2, "--all")
    cli.run("dlq", "drop", "--all").failed(2, "--yes")
    cli.run("dlq", "list", "--limit", "1001").failed(2, "--limit")


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Of its own: the service has one name for its queues."""
    if not rabbitmq.PROGRAM.exists():
        missing("install rabbitmq-server")
    with rabbitmq.started() as server:
        yield server


async def bury(url: str, reason: str) -> None:
    """What waits in the queue becomes a dead letter, as a worker does it."""
    async with rabbitmq.open_queue(url, Topology(NAME)) as opened:
        for delivery in await opened.receive(10):
            await opened.dead_letter(delivery, delivery.message.body, reason)


def judged(document: Any, name: str, answer: Any) -> None:
    """The answer has what its example has, and both are as the schema says."""
    (operation,) = [o for p in document["paths"].values() for o in p.values() if o["operationId"] == name]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
    (example,) = EXAMPLES_WITH_QUEUE[name]
    for body in (answer, example.response):
        validator.validate(body)
    assert answer.keys() == example.response.keys()


@pytest.mark.slow
async def test_they_are_listed_shown_sent_again_and_dropped(cli: CommandLine, broker: Broker, redis_url: str) -> None:
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
            api.says("API ")
            events: list[str] = []

            async def sent() -> bool:
                answer = await operator.post("/v1/apps/game/boards/main/scores", {"player": "ann", "increment": 5})
                events.extend([answer.body["event"]] if answer.status == 202 else ())
                return answer.status == 202

            for reason in ("not_storable", "tampered: no"):
                await eventually(sent, "the service has a way to the queue")
                await bury(broker.url, reason)
            first, second = cli.run("dlq", "list", "--json", *at).json
            assert [(one["reason"], one["count"]) for one in (first, second)] == [
                ("not_storable", 1),
                ("tampered: no", 1),
            ]
            shown = cli.run("dlq", "show", first["letter"], "--json").json  # at the queue itself
            (update,) = shown["updates"]
            assert (update["board"], update["player"], update["value"], update["event"]) == (
                "main",
                "ann",
                5,
                events[0],
            )
            document = (await operator.get("/openapi.json")).ok()
            judged(document, "getDeadLetter", shown)
            judged(document, "listDeadLetters", (await operator.get("/v1/dead-letters")).ok())
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
                await eventually(applied, "what was sent again is applied")
