from scoreboard.adapters.rabbitmq.topology import PRIORITIES, Topology


def test_a_partition_key_has_the_same_routing_key_in_every_process() -> None:
    topology = Topology("scores")
    expected = ["3.high", "0.high", "3.high", "2.high", "0.high"]
    assert [topology.key(key, "high") for key in ("ann", "bob", "zoe", "Zoë", "")] == expected


def test_every_routing_key_has_its_queue() -> None:
    topology = Topology("scores", shards=3)
    names = {f"scores.work.{topology.key(str(n), priority)}" for n in range(100) for priority in PRIORITIES}
    assert names == {name for name, _ in topology.work}


def test_waits_double_with_jitter_and_end_at_the_longest() -> None:
    topology = Topology("scores", waits_s=(1, 2, 4))
    for attempt, waits_ms in ((1, {750, 1_250}), (2, {1_500, 2_500}), (3, {3_000, 5_000}), (99, {3_000, 5_000})):
        drawn = {topology.delay(attempt) for _ in range(200)}
        assert drawn == {f"scores.delay.{wait_ms}" for wait_ms in waits_ms}
        assert drawn <= set(topology.delays)
