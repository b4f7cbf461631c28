"""Findings about a RabbitMQ server, for `scoreboard doctor`."""

from collections.abc import AsyncIterator

from scoreboard.adapters.rabbitmq import inspection
from scoreboard.adapters.rabbitmq.topology import NAME, Topology
from scoreboard.application.ports.backend import BackendOptions
from scoreboard.application.ports.diagnostics import Finding, version_finding, version_numbers
from scoreboard.domain.redaction import redact_url

OLDEST = (3, 10)
RIGHTS = rf"'^{NAME}' '^({NAME}|amq\.default)' '^{NAME}'"


async def diagnose(options: BackendOptions) -> AsyncIterator[Finding]:
    """Raises Unavailable when it does not answer."""
    url = options.queue_url
    found = await inspection.inspect(url, Topology(NAME))
    name = f"RabbitMQ {found.version} at {redact_url(url)}"
    oldest = "3.10, which has what is needed of quorum queues"
    yield version_finding("rabbitmq", name, new_enough=version_numbers(found.version) >= OLDEST, oldest=oldest)
    if found.blocked:
        text = "it is out of memory or disk, and takes no messages"
        yield Finding("rabbitmq", "problem", text, "give it more of what `rabbitmqctl list_alarms` names")
    if found.lacks == "rights":
        text = f"its user may not make our queues, whose names begin with {NAME}"
        vhost, user = inspection.names(url)
        yield Finding("rabbitmq", "problem", text, f"rabbitmqctl set_permissions -p {vhost} {user} {RIGHTS}")
    elif found.lacks:
        text = "it has no quorum queues: what it confirms may be lost"
        yield Finding("rabbitmq", "problem", text, "rabbitmqctl enable_feature_flag quorum_queue")
    elif not found.made:
        yield Finding("rabbitmq", "ok", "our queues are not there yet; the first process makes them")
    elif not found.takers:
        yield Finding("rabbitmq", "warning", "nobody takes what is queued", "start: scoreboard worker")
    if found.dead:
        yield Finding("rabbitmq", "warning", f"{found.dead:,} dead letters", "look at them: scoreboard dlq list")
