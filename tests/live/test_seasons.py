"""Tests of the season rollover on live boards and in reads, with a manual clock."""

from datetime import UTC, datetime
from pathlib import Path

from harness.service import running
from tests.live.watching import page, score, scores_of, stream


class Clock:
    """A wall clock that tests set."""

    def __init__(self, text: str) -> None:
        self.now = 0
        self.set(text)

    def __call__(self) -> int:
        return self.now

    def set(self, text: str) -> None:
        self.now = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


async def test_a_rollover_shows_the_new_season_without_an_update(tmp_path: Path) -> None:
    clock = Clock("2026-03-01T12:00:00")
    async with running(tmp_path / "data", clock=clock) as service:
        board = await service.board(period="daily")
        await score(service, "alice", 5)
    async with running(tmp_path / "data", clock=clock) as service:
        async with page(service) as follows, page(service) as stays, stream(service) as events:
            _, top = await follows.watch()
            assert (top["season"], scores_of(top)) == ("2026-03-01", [("alice", 5)])
            await stays.watch(season="2026-03-01")
            await events.event()
            clock.set("2026-03-02T00:00:00")
            turned = await follows.next("top")
            assert (turned["season"], scores_of(turned), turned["total"]) == ("2026-03-02", [], 0)
            assert turned["offset"] > top["offset"]
            assert '"season":"2026-03-02"' in (await events.event())["data"]
            await score(service, "bob", 1)
            assert scores_of(await follows.next("top")) == [("bob", 1)]
            await stays.quiet()
        old = (await service.anybody.get(f"{board}/top?season=2026-03-01")).ok()
        assert (old["season"], scores_of(old)) == ("2026-03-01", [("alice", 5)])
        new = (await service.anybody.get(f"{board}/top")).ok()
        assert (new["season"], scores_of(new)) == ("2026-03-02", [("bob", 1)])


async def test_the_rollover_of_a_new_board_is_shown(tmp_path: Path) -> None:
    clock = Clock("2026-03-01T23:59:59")
    async with running(tmp_path / "data", clock=clock) as service:
        await service.board(period="daily")
        async with page(service) as follows:
            _, top = await follows.watch()
            assert top["season"] == "2026-03-01"
            clock.set("2026-03-02T00:00:00")
            assert (await follows.next("top"))["season"] == "2026-03-02"


async def test_seasons_start_at_local_midnight_across_daylight_saving_changes(
    tmp_path: Path,
) -> None:
    """29 March 2026 has 23 hours in Berlin."""
    clock = Clock("2026-03-28T22:59:59")
    async with running(tmp_path / "data", clock=clock) as service:
        board = await service.board(period="daily", time_zone="Europe/Berlin")
        for at, season in (
            ("2026-03-28T22:59:59", "2026-03-28"),
            ("2026-03-28T23:00:00", "2026-03-29"),
            ("2026-03-29T21:59:59", "2026-03-29"),
            ("2026-03-29T22:00:00", "2026-03-30"),
        ):
            clock.set(at)
            await score(service, "alice", 1)
            assert (await service.anybody.get(f"{board}/top")).ok()["season"] == season
        for season, expected in (("2026-03-28", 1), ("2026-03-29", 2), ("2026-03-30", 1)):
            page_of = (await service.anybody.get(f"{board}/top?season={season}")).ok()
            assert scores_of(page_of) == [("alice", expected)]


async def test_a_rollover_during_downtime_is_handled(tmp_path: Path) -> None:
    clock = Clock("2026-03-01T12:00:00")
    async with running(tmp_path / "data", clock=clock) as service:
        board = await service.board(period="monthly")
        await score(service, "alice", 5)
    clock.set("2026-05-01T12:00:00")
    async with running(tmp_path / "data", clock=clock) as service:
        assert (await service.anybody.get(f"{board}/top")).ok()["season"] == "2026-05"
        old = (await service.anybody.get(f"{board}/top?season=2026-03")).ok()
        assert scores_of(old) == [("alice", 5)]
        await score(service, "alice", 2)
        assert scores_of((await service.anybody.get(f"{board}/top")).ok()) == [("alice", 2)]
