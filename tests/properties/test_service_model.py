"""The running service compared with a stateful model.

After any sequence of requests over HTTP, every read equals a simple computation over the accepted updates.
"""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness.client import Client
from harness.service import Running, running
from scoreboard.application.upkeep.verify import verify
from scoreboard.domain.board import INT64_MAX, INT64_MIN

pytestmark = pytest.mark.slow

PLAYERS = ["a", "b", "c", "Ä", "日本", "zz", "p/1", "p 2"]
VALUES = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, INT64_MAX, INT64_MIN, -(2**53) - 1]),
)


@dataclass
class Row:
    score: int
    reached: int  # the number of accepted updates, in place of the instant


@dataclass
class Model:
    operator: str
    descending: bool
    ties: str
    numbering: str
    rows: dict[str, Row] = field(default_factory=dict)
    accepted: int = 0

    def update(self, player: str, value: int) -> int | None:
        """Return the new score, or None if the update must be refused."""
        row = self.rows.get(player)
        new = value if row is None or self.operator != "increment" else row.score + value
        if not INT64_MIN <= new <= INT64_MAX:
            return None
        self.accepted += 1
        if row is None:
            self.rows[player] = Row(new, self.accepted)
        elif self.operator != "best" or (new != row.score and (new > row.score) == self.descending):
            if new != row.score:
                row.reached = self.accepted
            row.score = new
        return self.rows[player].score

    def order(self) -> list[str]:
        sign = -1 if self.descending else 1
        tie = {"earliest": 1, "latest": -1, "shared": 0}[self.ties]
        return sorted(self.rows, key=lambda p: (sign * self.rows[p].score, tie * self.rows[p].reached, p.encode()))

    def ranks(self) -> dict[str, int]:
        order = self.order()
        scores = [self.rows[player].score for player in order]
        distinct = list(dict.fromkeys(scores))
        match self.numbering:
            case "ordinal":
                numbers = list(range(1, len(order) + 1))
            case "competition":
                numbers = [scores.index(score) + 1 for score in scores]
            case _:
                numbers = [distinct.index(score) + 1 for score in scores]
        return dict(zip(order, numbers, strict=True))


class Service(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.stack = AsyncExitStack()
        self.folder = tempfile.TemporaryDirectory()
        self.keys: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self.spent: set[str] = set()

    @initialize(
        operator=st.sampled_from(["increment", "best", "latest"]),
        descending=st.booleans(),
        ties=st.sampled_from(["earliest", "latest", "shared"]),
        numbering=st.sampled_from(["ordinal", "competition", "dense"]),
    )
    def start(self, operator: str, descending: bool, ties: str, numbering: str) -> None:
        self.model = Model(operator, descending, ties, numbering)
        self.value_name = "increment" if operator == "increment" else "score"
        bounds = {name: str(INT64_MIN) for name in ("min_value", "min_total")}
        bounds |= {name: str(INT64_MAX) for name in ("max_value", "max_total")}

        async def started() -> tuple[Running, Client, str]:
            up = await self.stack.enter_async_context(running(Path(self.folder.name)))
            address = await up.board(
                operator=operator,
                direction="descending" if descending else "ascending",
                ties=ties,
                numbering=numbering,
                **bounds,
            )
            return up, up.client("server", "game"), address

        self.up, self.server, self.address = self.runner.run(started())

    def path(self, player: str) -> str:
        return f"{self.address}/players/{quote(player, safe='')}"

    @rule(player=st.sampled_from(PLAYERS), value=VALUES)
    def update(self, player: str, value: int) -> None:
        answer = self.runner.run(
            self.server.post(f"{self.address}/scores", {"player": player, self.value_name: str(value)})
        )
        expected = self.model.update(player, value)
        if expected is None:
            answer.refused(409, "total_out_of_bounds")
        else:
            applied = answer.ok()
            assert int(applied["score"]) == expected
            assert applied["rank"] == self.model.ranks()[player]

    @rule(player=st.sampled_from(PLAYERS), value=st.integers(-3, 3), key=st.sampled_from(["k1", "k2", "k3"]))
    def update_with_a_key(self, player: str, value: int, key: str) -> None:
        body = {"player": player, self.value_name: value}
        answer = self.runner.run(self.server.post(f"{self.address}/scores", body, Idempotency_Key=key))
        known = self.keys.get(key)
        if known is not None and known[:2] != (player, value):
            answer.refused(409, "key_reused")
        elif key in self.spent:
            answer.refused(409, "key_spent")
        elif known is not None:
            again = answer.ok()
            assert answer.headers["Idempotent-Replayed"] == "true"
            assert {n: again[n] for n in ("event", "score", "previous_score")} == known[2]
        elif self.model.update(player, value) is not None:
            first = answer.ok()
            self.keys[key] = player, value, {n: first[n] for n in ("event", "score", "previous_score")}
        else:
            answer.refused(409, "total_out_of_bounds")
            self.keys[key] = player, INT64_MAX + 1, {}  # never sent, so that each later use is refused

    @rule(updates=st.lists(st.tuples(st.sampled_from(PLAYERS), VALUES), min_size=1, max_size=12))
    def update_many(self, updates: list[tuple[str, int]]) -> None:
        body = {"updates": [{"player": player, self.value_name: str(value)} for player, value in updates]}
        results = self.runner.run(self.server.post(f"{self.address}/scores/batch", body)).ok()["results"]
        for (player, value), result in zip(updates, results, strict=True):
            expected = self.model.update(player, value)
            assert (int(result["score"]) if result["status"] == "applied" else None) == expected

    @rule(player=st.sampled_from(PLAYERS))
    @precondition(lambda self: self.model.rows)
    def delete(self, player: str) -> None:
        if player in self.model.rows:
            path = f"/v1/apps/game{self.path(player)[len(self.address) :]}"
            assert self.runner.run(self.up.operator.delete(path)).status == 204
            del self.model.rows[player]
            self.spent |= {key for key, known in self.keys.items() if known[0] == player}

    @rule(limit=st.integers(1, 4))
    def read_all_pages(self, limit: int) -> None:
        async def pages() -> list[str]:
            players: list[str] = []
            cursor = ""
            while True:
                page = (await self.server.get(f"{self.address}/top?limit={limit}{cursor}")).ok()
                players += [entry["player"] for entry in page["entries"]]
                if page["next_cursor"] is None:
                    return players
                cursor = f"&cursor={page['next_cursor']}"

        assert self.runner.run(pages()) == self.model.order()

    @rule(player=st.sampled_from(PLAYERS), radius=st.integers(1, 3))
    def read_one(self, player: str, radius: int) -> None:
        answer = self.runner.run(self.server.get(self.path(player)))
        if player not in self.model.rows:
            assert answer.status == 404
            return
        standing, order = answer.ok(), self.model.order()
        scores = [self.model.rows[p].score for p in order]
        score = self.model.rows[player].score
        assert standing["rank"] == self.model.ranks()[player]
        assert (int(standing["score"]), standing["ties"]) == (score, scores.count(score) - 1)
        around = self.runner.run(self.server.get(f"{self.path(player)}/around?radius={radius}")).ok()["entries"]
        size = min(2 * radius + 1, len(order))
        start = max(0, min(order.index(player) - radius, len(order) - size))
        assert [entry["player"] for entry in around] == order[start : start + size]

    @invariant()
    def top_equals_the_model(self) -> None:
        if not hasattr(self, "model"):
            return
        top = self.runner.run(self.server.get(f"{self.address}/top")).ok()
        ranks = self.model.ranks()
        expected = [(ranks[p], p, self.model.rows[p].score) for p in self.model.order()[:10]]
        assert [(e["rank"], e["player"], int(e["score"])) for e in top["entries"]] == expected
        assert top["total"] == len(self.model.rows)

    def teardown(self) -> None:
        async def stop() -> list[str]:
            board = await self.up.service.directory.board("game", "main")
            report = await verify(self.up.service.ledger, self.up.service.ranking, board)
            await self.stack.aclose()
            return report.differences

        try:
            if hasattr(self, "up"):
                assert self.runner.run(stop()) == []
        finally:
            self.runner.close()
            self.folder.cleanup()


TestService = Service.TestCase
TestService.settings = settings(
    max_examples=100,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ),  # without shrinking, which would start a service per attempt
)
