"""Findings about a RabbitMQ server, for `scoreboard doctor`."""

from collections.abc import AsyncIterator

from scoreboard.adapters.rabbitmq import inspection
from scoreboard.adapters.rabbitmq.timeouts import DEFAULTS
from scoreboard.adapters.rabbitmq.topology import NAME, Topology
from scoreboard.application.ports.backend import BackendOptions
from scoreboard.application.ports.diagnostics import Finding, version_finding, version_numbers
from scoreboard.domain.redaction import redact_url

OLDEST = (3, 10)
PERMISSIONS = rf"'^{NAME}' '^({NAME}|amq\.default)' '^{NAME}'"


async def diagnose(options: BackendOptions) -> AsyncIterator[Finding]:
    """Yield the findings about the broker. Raise Unavailable if it is down."""
    url = options.queue_url
    found = await inspection.inspect(url, Topology(NAME), DEFAULTS.scaled(options.patience))
    name = f"RabbitMQ {found.version} at {redact_url(url)}"
    oldest = "3.10, the first with the required features of quorum queues"
    yield version_finding("rabbitmq", name, new_enough=version_numbers(found.version) >= OLDEST, oldest=oldest)
    if found.blocked:
        text = "it is out of memory or disk space, and accepts no messages"
        yield Finding("rabbitmq", "problem", text, "add the resource that `rabbitmqctl list_alarms` reports as low")
    if found.missing == "permissions":
        text = f"its user may not create queues whose names begin with {NAME}"
        vhost, user = inspection.quoted_names(url)
        yield Finding("rabbitmq", "problem", text, f"rabbitmqctl set_permissions -p {vhost} {user} {PERMISSIONS}")
    elif found.missing:
        text = "it does not support quorum queues: messages that it confirmed may be lost"
        yield Finding("rabbitmq", "problem", text, "rabbitmqctl enable_feature_flag quorum_queue")
    elif not found.declared:
        yield Finding("rabbitmq", "ok", "the queues do not exist yet; the first process creates them")
    elif not found.consumers:
        yield Finding("rabbitmq", "warning", "no worker consumes the queues", "start one with: scoreboard worker")
    if found.dead_letters:
        text = f"{found.dead_letters:,} dead letters"
        yield Finding("rabbitmq", "warning", text, "list them with: scoreboard dlq list")
