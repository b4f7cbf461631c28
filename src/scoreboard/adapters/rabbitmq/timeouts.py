"""The time-outs of RabbitMQ."""

from dataclasses import dataclass, replace

from scoreboard.application.ports.timeouts import Timeouts


@dataclass(frozen=True, slots=True)
class RabbitTimeouts(Timeouts):
    """The time-outs of a broker, in seconds."""

    connect_s: float = 5.0
    attempt_s: float = 30.0  # for a connection with its channels, queues and consumers
    session_s: float = 2.0  # for a connection that is being opened; no caller waits after a failed attempt
    call_s: float = 5.0
    declare_s: float = 10.0  # for one queue or exchange
    blocked_s: float = 0.25  # for a broker that is out of memory or disk
    inspect_s: float = 3.0

    def scaled(self, factor: float) -> "RabbitTimeouts":
        """Return these time-outs, multiplied by `factor` except for `attempt_s`.

        Just after a restart, a broker may never answer a call. Only another attempt helps then.
        """
        return replace(super(RabbitTimeouts, self).scaled(factor), attempt_s=self.attempt_s)


DEFAULTS = RabbitTimeouts()
