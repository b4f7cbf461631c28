"""The loop of background jobs."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from scoreboard.domain.errors import Unavailable

log = structlog.get_logger(__name__)


async def every(period_s: float, job: Callable[[], Awaitable[object]], name: str) -> None:
    """Run a job at once, and again after each pause, until cancelled.

    A pause of `period_s` starts when a run has ended. A failure does not end the loop. Unavailable is logged only at
    debug level, because the adapter that lost its server logs the outage.
    """
    while True:
        try:
            await job()
        except Unavailable as error:
            log.debug("job_postponed", job=name, code=error.code)
        except Exception:
            log.exception("job_failed", job=name)
        await asyncio.sleep(period_s)
