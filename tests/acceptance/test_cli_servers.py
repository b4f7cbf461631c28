"""What an operator is told when a server is away, wrong, or not set up: one line, and what to do. No secret in it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import pytest

from harness.ports import free_port
from harness.servers import postgres, rabbitmq, redis
from harness.servers.processes import frozen
from tests.acceptance.command_line import CommandLine, Ended

ROLES = ("serve", "api", "live", "worker", "jobs")
SECRET = "s3cret"


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture(scope="module")
def broker() -> Iterator[rabbitmq.Broker]:
    with rabbitmq.shared() as server:
        yield server


def nobody() -> str:
    """A host and port where nothing listens."""
    return f"127.0.0.1:{free_port()}"


def given(database: str, ranking: str = "", queue: str = "") -> dict[str, str]:
    return {
        "SCOREBOARD_DATABASE_URL": database,
        "SCOREBOARD_RANKING_URL": ranking or f"redis://:{SECRET}@{nobody()}",
        "SCOREBOARD_QUEUE_URL": queue or f"amqp://u:{SECRET}@{nobody()}/",
        "SCOREBOARD_SIGNING_KEY": "k" * 32,
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("database", "ranking", "queue", "named"),
    [
        (f"postgresql://u:{SECRET}@h:x/db", "", "", "database_url"),
        (f"postgresql://u:{SECRET}/1@h/db", "", "", "database_url"),
        (f"mysql://u:{SECRET}@h/db", "", "", "database_url"),
        ("", f"redis://:{SECRET}/1@h/x", "", "ranking_url"),
        ("", "", f"amqp://u:{SECRET}@h:x/", "queue_url"),
        ("", "", f"amqp://u:{SECRET}/1@h/", "queue_url"),
    ],
)
def test_a_url_that_is_wrong_is_named_and_not_told(
    cli: CommandLine, database: str, ranking: str, queue: str, named: str
) -> None:
    settings = given(database or f"postgresql://u:{SECRET}@{nobody()}/db", ranking, queue)
    for command in (("serve", "--port", "0"), ("doctor",)):
        assert SECRET not in cli.run(*command, **settings).failed(2, named)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_a_role_says_that_its_database_is_away(cli: CommandLine, role: str) -> None:
    host = nobody()
    line = cli.run(role, "--port", "0", **given(f"postgresql://u:{SECRET}@{host}/db")).failed(1, host, "refused")
    assert "SCOREBOARD_DATABASE_URL" in line
    assert SECRET not in line


@pytest.mark.slow
async def test_a_role_says_that_there_is_no_schema_and_migrate_makes_it(cli: CommandLine) -> None:
    settings = given(await postgres.empty_database())
    cli.run("api", "--port", "0", **settings).failed(1, "scoreboard migrate")
    assert cli.run("migrate", **settings).ok().out
    assert cli.run("migrate", **settings).ok().err == "The database is up to date.\n"
    cli.environment |= settings
    with cli.started("api", "--port", "0") as api:
        api.says("API ")


@pytest.mark.slow
async def test_migrate_needs_no_more_than_the_database_by_option_or_environment(cli: CommandLine) -> None:
    by_option, by_environment = await postgres.empty_database(), await postgres.empty_database()
    applied = cli.run("migrate", "--database-url", by_option, SCOREBOARD_DATABASE_URL=by_environment).ok().out
    assert applied == cli.run("migrate", SCOREBOARD_DATABASE_URL=by_environment).ok().out
    assert not cli.run("migrate", "--database-url", by_option).ok().out
    cli.run("migrate", "--database-url", f"mysql://u:{SECRET}@h/db").failed(2, "database_url")
    assert not cli.data.exists()


@pytest.mark.slow
async def test_migrations_at_once_are_all_well(cli: CommandLine) -> None:
    cli.environment["SCOREBOARD_DATABASE_URL"] = await postgres.empty_database()
    with ExitStack() as stack:
        begun = [stack.enter_context(cli.started("migrate")) for _ in range(3)]
        ended = [one.ended().ok() for one in begun]
    assert sorted(bool(one.out) for one in ended) == [False, False, True]


@pytest.mark.slow
async def test_no_driver_is_needed_of_a_server_that_is_not_there(cli: CommandLine, redis_url: str) -> None:
    """PostgreSQL and Redis serve without aio-pika; with a queue's URL its extra is named."""
    broken = cli.home / "without"
    broken.mkdir()
    (broken / "aio_pika.py").write_text("raise ModuleNotFoundError('No module named aio_pika', name='aio_pika')")
    settings = given(await postgres.fresh_database(), redis.emptied(redis_url)) | {"PYTHONPATH": str(broken)}
    line = cli.run("serve", "--port", "0", **settings).failed(2, "aio_pika is not installed", "'scoreboard[rabbitmq]'")
    assert SECRET not in line
    del settings["SCOREBOARD_QUEUE_URL"]
    cli.environment |= settings
    with cli.serving() as served:
        cli.run("apps", "create", "game").ok()
        cli.run("boards", "create", "main", "--app", "game").ok()
        assert served.standings("game", "main") == []
    assert cli.run("doctor").ok().out


@pytest.mark.slow
def test_the_doctor_names_each_server_that_cannot_be_reached(cli: CommandLine) -> None:
    settings = given(f"postgresql://u:{SECRET}@{nobody()}/db")
    done = cli.run("doctor", **settings)
    assert done.status == 1
    assert SECRET not in done.out + done.err
    problems = [line.split()[1] for line in done.out.splitlines() if line.startswith("problem")]
    assert problems == ["postgresql", "redis", "rabbitmq"]
    for name in ("DATABASE", "RANKING", "QUEUE"):
        assert f"SCOREBOARD_{name}_URL" in done.out


def told_of(done: Ended, check: str) -> str:
    """What the doctor says of one server that is a problem: its words and its advice, in one line."""
    assert done.status == 1
    assert SECRET not in done.out + done.err
    lines = done.out.splitlines()
    (begin,) = [n for n, line in enumerate(lines) if line.split()[:2] == ["problem", check]]
    end = next((n for n in range(begin + 1, len(lines)) if not lines[n].startswith(" ")), len(lines))
    return " ".join(" ".join(lines[begin:end]).split())


@pytest.mark.slow
async def test_the_doctor_says_why_postgresql_lets_nobody_in(cli: CommandLine, tmp_path: Path) -> None:
    with postgres.postgres() as server:
        keeper = await asyncpg.connect(server.url)
        await keeper.execute(f"CREATE ROLE keeper LOGIN PASSWORD '{SECRET}'")
        await keeper.close()
        there = f"127.0.0.1:{server.port}"
        for url, *words in (
            (f"keeper:{SECRET}@{there}/nix", 'database "nix" does not exist', "-> createdb --owner=keeper nix"),
            (f"nobody:{SECRET}@{there}/postgres", 'role "nobody" does not exist', "-> createuser --pwprompt nobody"),
        ):
            settings = given(f"postgresql://{url}")
            told = told_of(cli.run("doctor", **settings), "postgresql")
            assert "start it" not in told
            for said in words:
                assert said in told
            line = cli.run("api", "--port", "0", **settings).failed(1, *(said.removeprefix("-> ") for said in words))
            assert SECRET not in line
        server.set_hba("host all keeper 127.0.0.1/32 scram-sha-256")
        wrong = cli.run("doctor", **given(f"postgresql://keeper:{SECRET}x@{there}/postgres"))
        assert "-> check the user and the password in SCOREBOARD_DATABASE_URL" in told_of(wrong, "postgresql")
        refused = cli.run("doctor", **given(f"postgresql://nobody:{SECRET}@{there}/postgres"))
        assert "-> allow it in pg_hba.conf" in told_of(refused, "postgresql")


@pytest.mark.slow
def test_the_doctor_says_why_redis_lets_nobody_in(cli: CommandLine, tmp_path: Path) -> None:
    database = f"postgresql://u:{SECRET}@{nobody()}/db"
    with redis.started(redis.Server(tmp_path)) as server:
        server.ask("ACL", "SETUSER", "keeper", "on", f">{SECRET}", "~sb:*", "+@all")
        server.ask("ACL", "SETUSER", "default", "off")
        for url in (server.url, server.url.replace("://", f"://keeper:{SECRET}x@")):
            told = told_of(cli.run("doctor", **given(database, url)), "redis")
            assert "authentication failed" in told
            assert "-> check the user and the password in SCOREBOARD_RANKING_URL" in told


@pytest.mark.slow
def test_the_doctor_says_why_rabbitmq_lets_nobody_in(cli: CommandLine, broker: rabbitmq.Broker) -> None:
    database = f"postgresql://u:{SECRET}@{nobody()}/db"
    broker.control("add_user", "keeper", SECRET)
    there = broker.url.rpartition("@")[2].rstrip("/")
    settings = given(database, queue=f"amqp://keeper:{SECRET}@{there}/nix")
    told = told_of(cli.run("doctor", **settings), "rabbitmq")
    assert "there is no such virtual host, or its user may not use it" in told
    assert "-> rabbitmqctl add_vhost nix; rabbitmqctl set_permissions -p nix keeper '^scoreboard'" in told
    settings = given(database, queue=f"amqp://keeper:{SECRET}x@{there}/nix")
    told = told_of(cli.run("doctor", **settings), "rabbitmq")
    assert "its user or password is wrong" in told
    assert "-> check the user and the password in SCOREBOARD_QUEUE_URL" in told


@pytest.mark.slow
async def test_the_doctor_prints_its_report_alone(cli: CommandLine, broker: rabbitmq.Broker) -> None:
    """Not what servers that are away, or silent, have the service and its libraries log."""
    settings = given(await postgres.fresh_database())
    assert cli.run("doctor", **settings).err == "scoreboard: 2 problems found\n"
    with frozen(broker.pid):
        silent = cli.run("doctor", **settings | {"SCOREBOARD_QUEUE_URL": broker.url})
    assert "it does not answer" in told_of(silent, "rabbitmq")
    assert silent.err == "scoreboard: 2 problems found\n"


@pytest.mark.slow
def test_the_doctor_says_what_is_wrong_with_servers(cli: CommandLine, tmp_path: Path) -> None:
    careless = redis.Server(tmp_path, "--maxmemory-policy", "allkeys-lru")
    with postgres.postgres("fsync=off", "max_connections=20") as server, redis.started(careless):
        careless.ask("ACL", "SETUSER", "keeper", "on", f">{SECRET}", "~sb:*", "&sb:*", "+@all", "-zadd")
        settings = given(server.url, careless.url.replace("://", f"://keeper:{SECRET}@"))
        del settings["SCOREBOARD_QUEUE_URL"]
        told = cli.run("doctor", **settings).out
        for words in (
            "fsync",
            "max_connections",
            "noeviction",
            "may not call zadd",
            "no schema yet",
            "-> scoreboard migrate",
        ):
            assert words in told
        cli.run("migrate", **settings).ok()
        assert "no schema yet" not in cli.run("doctor", **settings).out


@pytest.mark.slow
async def test_the_doctor_warns_of_writes_that_a_failover_would_lose(cli: CommandLine, tmp_path: Path) -> None:
    with redis.started(redis.Sentinels(tmp_path)) as servers:
        settings = given(await postgres.fresh_database(), servers.url)
        del settings["SCOREBOARD_QUEUE_URL"]
        assert "set min-replicas-to-write 1" in cli.run("doctor", **settings).out
        servers.master().ask("CONFIG", "SET", "min-replicas-to-write", 1)
        assert "min-replicas-to-write" not in cli.run("doctor", **settings).out


@pytest.mark.slow
async def test_the_doctor_tells_how_a_replica_follows(cli: CommandLine) -> None:
    with postgres.postgres() as server, postgres.postgres(of=server) as follower:
        settings = given(server.url) | {"SCOREBOARD_DATABASE_REPLICA_URL": follower.url}
        assert f"{follower.port}/postgres follows" in cli.run("doctor", **settings).out
        settings["SCOREBOARD_DATABASE_REPLICA_URL"] = server.url
        assert "it is no replica" in cli.run("doctor", **settings).out
        settings["SCOREBOARD_DATABASE_REPLICA_URL"] = f"postgresql://u:{SECRET}@{nobody()}/db"
        told = cli.run("doctor", **settings).out
        assert "SCOREBOARD_DATABASE_REPLICA_URL" in told
        assert SECRET not in told
        alone = {"SCOREBOARD_DATABASE_REPLICA_URL": follower.url}
        cli.run("serve", "--port", "0", **alone).failed(2, "database_replica_url", "need a database_url")
