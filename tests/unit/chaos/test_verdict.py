import json
from dataclasses import replace
from pathlib import Path

import pytest
from redis.crc import key_slot

from chaos.__main__ import victims
from chaos.account import REGIONS, region_of, tables
from chaos.cluster import VICTIMS, ranking_of
from chaos.judge import Verdict, drifted
from chaos.report import table
from chaos.rounds import BOARDS, IN_FLIGHT, Outcome
from harness.servers.redis import SLOTS
from scoreboard.adapters.redis.keys import of
from scoreboard.domain.submission import TableKey

PASSED = Outcome("redis", in_flight=[320, IN_FLIGHT], recovered=[1.0, 3.0], verdict=Verdict(acknowledged=7))
FAULTS: list[dict[str, object]] = [
    {"lost": 1},
    {"doubled": 1},
    {"without": 1},
    {"wrong": 1},
    {"differences": ["totals differ"]},
    {"drifted": 1},
    {"screens": 1},
    {"backwards": 1},
    {"refused": ["k1: 409"]},
    {"left_in_queues": 1},
]


def test_all_is_well_when_nothing_is_found() -> None:
    assert PASSED.passed
    assert table([PASSED]).splitlines()[2:] == ["| redis | 2 | 200 | 7 | 0 | 0 | 0 | 2.0 s | 3.0 s |"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: next(iter(fault)))
def test_each_fault_makes_the_verdict_fail_and_is_named(fault: dict[str, object]) -> None:
    outcome = replace(PASSED, verdict=Verdict(7, **fault))  # type: ignore[arg-type]  # of many types
    ((name, found),) = fault.items()
    assert not outcome.passed
    assert table([outcome]).splitlines()[3:] == [f"redis: {name}: {found}"]


def test_every_field_of_a_verdict_is_a_fault_but_the_number_of_updates() -> None:
    assert vars(Verdict()).keys() - {"acknowledged"} == {name for fault in FAULTS for name in fault}


def test_too_few_in_flight_at_a_kill_proves_nothing() -> None:
    assert not replace(PASSED, in_flight=[320, IN_FLIGHT - 1]).passed


def test_a_round_that_never_recovered_is_not_well() -> None:
    outcome = replace(PASSED, recovered=[1.0, None])
    assert not outcome.passed
    assert table([outcome]).splitlines()[2].endswith("| 1.0 s | never |")


def test_what_the_drift_check_found_is_read_from_the_logs(tmp_path: Path) -> None:
    lines = [
        {"event": "ranking_drifted", "board": "chaos/redis-1", "tables": 2},
        {"event": "ranking_drifted", "board": "chaos/worker-1", "tables": 1},
        {"event": "leader_lock_acquired", "name": "drift"},
    ]
    log = tmp_path / "jobs-0.log"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert drifted([log], {"chaos/redis-0", "chaos/redis-1"}) == 1


def test_every_player_is_in_the_world_and_in_a_region() -> None:
    assert {region_of(player) for player in ("p1", "p22")} == {"eu", "us"}
    assert tables({"p1": 5, "p22": 7}) == {
        ("", "p1"): 5,
        ("", "p22"): 7,
        (region_of("p1"), "p1"): 5,
        (region_of("p22"), "p22"): 7,
    }


def test_every_master_of_a_cluster_has_a_table() -> None:
    keys = [of(TableKey(board, "all", region)) for board in range(1, BOARDS + 1) for region in ("", *REGIONS)]
    assert {key_slot(key.encode()) * 3 // SLOTS for key in keys} == {0, 1, 2}


def test_victims_that_need_the_same_servers_come_together() -> None:
    assert victims("cluster, redis,api") == ["api", "redis", "cluster"]
    rankings = [ranking_of(victim) for victim in VICTIMS]
    assert sorted(set(rankings), key=rankings.index) == ["redis", "sentinel", "cluster"]
    assert rankings == sorted(rankings, key=["redis", "sentinel", "cluster"].index)
    with pytest.raises(ValueError, match="no such victim: nobody"):
        victims("api,nobody")
