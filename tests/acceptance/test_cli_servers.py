"""Messages about servers that are unreachable, misconfigured or not set up."""

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


def closed_address() -> str:
    """Return a host and port where nothing listens."""
    return f"127.0.0.1:{free_port()}"


def settings_for(database: str, ranking: str = "", queue: str = "") -> dict[str, str]:
    return {
        "SCOREBOARD_DATABASE_URL": database,
        "SCOREBOARD_RANKING_URL": ranking or f"redis://:{SECRET}@{closed_address()}",
        "SCOREBOARD_QUEUE_URL": queue or f"amqp://u:{SECRET}@{closed_address()}/",
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
def test_invalid_url_is_named_without_its_secret(
    cli: CommandLine, database: str, ranking: str, queue: str, named: str
) -> None:
    settings = settings_for(database or f"postgresql://u:{SECRET}@{closed_address()}/db", ranking, queue)
    for command in (("serve", "--port", "0"), ("doctor",)):
        assert SECRET not in cli.run(*command, **settings).failed(2, named)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_role_reports_unreachable_database(cli: CommandLine, role: str) -> None:
    host = closed_address()
    line = cli.run(role, "--port", "0", **settings_for(f"postgresql://u:{SECRET}@{host}/db")).failed(1, host, "refused")
    assert "SCOREBOARD_DATABASE_URL" in line
    assert SECRET not in line


@pytest.mark.slow
async def test_role_reports_missing_schema_until_migrate(cli: CommandLine) -> None:
    settings = settings_for(await postgres.empty_database())
    cli.run("api", "--port", "0", **settings).failed(1, "scoreboard migrate")
    assert cli.run("migrate", **settings).ok().out
    assert cli.run("migrate", **settings).ok().err == "The database is up to date.\n"
    cli.environment |= settings
    with cli.started("api", "--port", "0") as api:
        api.wait_for("API ")


@pytest.mark.slow
async def test_migrate_needs_only_the_database_url(cli: CommandLine) -> None:
    by_option, by_environment = await postgres.empty_database(), await postgres.empty_database()
    applied = cli.run("migrate", "--database-url", by_option, SCOREBOARD_DATABASE_URL=by_environment).ok().out
    assert applied == cli.run("migrate", SCOREBOARD_DATABASE_URL=by_environment).ok().out
    assert not cli.run("migrate", "--database-url", by_option).ok().out
    cli.run("migrate", "--database-url", f"mysql://u:{SECRET}@h/db").failed(2, "database_url")
    assert not cli.data.exists()


@pytest.mark.slow
async def test_concurrent_migrations_succeed(cli: CommandLine) -> None:
    cli.environment["SCOREBOARD_DATABASE_URL"] = await postgres.empty_database()
    with ExitStack() as stack:
        running = [stack.enter_context(cli.started("migrate")) for _ in range(3)]
        results = [one.wait().ok() for one in running]
    assert sorted(bool(result.out) for result in results) == [False, False, True]


@pytest.mark.slow
async def test_driver_of_an_unused_server_is_not_needed(cli: CommandLine, redis_url: str) -> None:
    """Serve PostgreSQL and Redis without aio-pika, and name the extra for a queue."""
    broken = cli.home / "without"
    broken.mkdir()
    (broken / "aio_pika.py").write_text("raise ModuleNotFoundError('No module named aio_pika', name='aio_pika')")
    settings = settings_for(await postgres.fresh_database(), redis.emptied(redis_url)) | {"PYTHONPATH": str(broken)}
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
def test_doctor_names_unreachable_servers(cli: CommandLine) -> None:
    settings = settings_for(f"postgresql://u:{SECRET}@{closed_address()}/db")
    done = cli.run("doctor", **settings)
    assert done.status == 1
    assert SECRET not in done.out + done.err
    problems = [line.split()[1] for line in done.out.splitlines() if line.startswith("problem")]
    assert problems == ["postgresql", "redis", "rabbitmq"]
    for name in ("DATABASE", "RANKING", "QUEUE"):
        assert f"SCOREBOARD_{name}_URL" in done.out


def problem_of(done: Ended, check: str) -> str:
    """Return the problem of one server and its remedy, as one line."""
    assert done.status == 1
    assert SECRET not in done.out + done.err
    lines = done.out.splitlines()
    (begin,) = [n for n, line in enumerate(lines) if line.split()[:2] == ["problem", check]]
    end = next((n for n in range(begin + 1, len(lines)) if not lines[n].startswith(" ")), len(lines))
    return " ".join(" ".join(lines[begin:end]).split())


@pytest.mark.slow
async def test_doctor_explains_failed_postgresql_login(cli: CommandLine, tmp_path: Path) -> None:
    with postgres.postgres() as server:
        keeper = await asyncpg.connect(server.url)
        await keeper.execute(f"CREATE ROLE keeper LOGIN PASSWORD '{SECRET}'")
        await keeper.close()
        there = f"127.0.0.1:{server.port}"
        for url, *words in (
            (f"keeper:{SECRET}@{there}/nix", 'database "nix" does not exist', "-> createdb --owner=keeper nix"),
            (f"nobody:{SECRET}@{there}/postgres", 'role "nobody" does not exist', "-> createuser --pwprompt nobody"),
        ):
            settings = settings_for(f"postgresql://{url}")
            text = problem_of(cli.run("doctor", **settings), "postgresql")
            assert "start the server" not in text
            for part in words:
                assert part in text
            line = cli.run("api", "--port", "0", **settings).failed(1, *(part.removeprefix("-> ") for part in words))
            assert SECRET not in line
        server.set_hba("host all keeper 127.0.0.1/32 scram-sha-256")
        wrong = cli.run("doctor", **settings_for(f"postgresql://keeper:{SECRET}x@{there}/postgres"))
        assert "-> check the user and the password in SCOREBOARD_DATABASE_URL" in problem_of(wrong, "postgresql")
        refused = cli.run("doctor", **settings_for(f"postgresql://nobody:{SECRET}@{there}/postgres"))
        assert "-> allow the connection in pg_hba.conf" in problem_of(refused, "postgresql")


@pytest.mark.slow
def test_doctor_explains_failed_redis_login(cli: CommandLine, tmp_path: Path) -> None:
    database = f"postgresql://u:{SECRET}@{closed_address()}/db"
    with redis.started(redis.Server(tmp_path)) as server:
        server.ask("ACL", "SETUSER", "keeper", "on", f">{SECRET}", "~sb:*", "+@all")
        server.ask("ACL", "SETUSER", "default", "off")
        for url in (server.url, server.url.replace("://", f"://keeper:{SECRET}x@")):
            text = problem_of(cli.run("doctor", **settings_for(database, url)), "redis")
            assert "authentication failed" in text
            assert "-> check the user and the password in SCOREBOARD_RANKING_URL" in text


@pytest.mark.slow
def test_doctor_explains_failed_rabbitmq_login(cli: CommandLine, broker: rabbitmq.Broker) -> None:
    database = f"postgresql://u:{SECRET}@{closed_address()}/db"
    broker.control("add_user", "keeper", SECRET)
    there = broker.url.rpartition("@")[2].rstrip("/")
    settings = settings_for(database, queue=f"amqp://keeper:{SECRET}@{there}/nix")
    text = problem_of(cli.run("doctor", **settings), "rabbitmq")
    assert "there is no such virtual host, or its user may not use it" in text
    assert "-> rabbitmqctl add_vhost nix; rabbitmqctl set_permissions -p nix keeper '^scoreboard'" in text
    settings = settings_for(database, queue=f"amqp://keeper:{SECRET}x@{there}/nix")
    text = problem_of(cli.run("doctor", **settings), "rabbitmq")
    assert "its user or password is wrong" in text
    assert "-> check the user and the password in SCOREBOARD_QUEUE_URL" in text


@pytest.mark.slow
async def test_doctor_prints_no_log_lines(cli: CommandLine, broker: rabbitmq.Broker) -> None:
    """Keep log lines about unreachable or silent servers out of the report."""
    settings = settings_for(await postgres.fresh_database())
    assert cli.run("doctor", **settings).err == "scoreboard: 2 problems found\n"
    with frozen(broker.pid):
        silent = cli.run("doctor", **settings | {"SCOREBOARD_QUEUE_URL": broker.url})
    assert "it does not answer" in problem_of(silent, "rabbitmq")
    assert silent.err == "scoreboard: 2 problems found\n"


@pytest.mark.slow
def test_doctor_reports_unsafe_server_settings(cli: CommandLine, tmp_path: Path) -> None:
    careless = redis.Server(tmp_path, "--maxmemory-policy", "allkeys-lru")
    with postgres.postgres("fsync=off", "max_connections=20") as server, redis.started(careless):
        careless.ask("ACL", "SETUSER", "keeper", "on", f">{SECRET}", "~sb:*", "&sb:*", "+@all", "-zadd")
        settings = settings_for(server.url, careless.url.replace("://", f"://keeper:{SECRET}@"))
        del settings["SCOREBOARD_QUEUE_URL"]
        text = cli.run("doctor", **settings).out
        for words in (
            "fsync",
            "max_connections",
            "noeviction",
            "may not call zadd",
            "no schema yet",
            "-> scoreboard migrate",
        ):
            assert words in text
        cli.run("migrate", **settings).ok()
        assert "no schema yet" not in cli.run("doctor", **settings).out


@pytest.mark.slow
async def test_doctor_warns_about_writes_lost_by_failover(cli: CommandLine, tmp_path: Path) -> None:
    with redis.started(redis.Sentinels(tmp_path)) as servers:
        settings = settings_for(await postgres.fresh_database(), servers.url)
        del settings["SCOREBOARD_QUEUE_URL"]
        assert "set min-replicas-to-write 1" in cli.run("doctor", **settings).out
        servers.master().ask("CONFIG", "SET", "min-replicas-to-write", 1)
        assert "min-replicas-to-write" not in cli.run("doctor", **settings).out


@pytest.mark.slow
async def test_doctor_reports_replication(cli: CommandLine) -> None:
    with postgres.postgres() as server, postgres.postgres(of=server) as follower:
        settings = settings_for(server.url) | {"SCOREBOARD_DATABASE_REPLICA_URL": follower.url}
        assert f"{follower.port}/postgres is replicating" in cli.run("doctor", **settings).out
        settings["SCOREBOARD_DATABASE_REPLICA_URL"] = server.url
        assert "it is not a replica" in cli.run("doctor", **settings).out
        settings["SCOREBOARD_DATABASE_REPLICA_URL"] = f"postgresql://u:{SECRET}@{closed_address()}/db"
        text = cli.run("doctor", **settings).out
        assert "SCOREBOARD_DATABASE_REPLICA_URL" in text
        assert SECRET not in text
        alone = {"SCOREBOARD_DATABASE_REPLICA_URL": follower.url}
        cli.run("serve", "--port", "0", **alone).failed(2, "database_replica_url", "need a database_url")
