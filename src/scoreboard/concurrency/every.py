"""The loop of background jobs."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from scoreboard.domain.errors import Unavailable

log = structlog.get_logger(__name__)


async def every(period_s: float, job: Callable[[], Awaitable[object]], name: str) -> None:
    """Run a job at once, and again `period_s` after each run has ended, until cancelled.

    A failure does not end the loop. An Unavailable is logged at debug level only: the adapter that lost its server has
    logged the outage.
    """
    while True:
        try:
            await job()
        except Unavailable as error:
            log.debug("job_postponed", job=name, code=error.code)
        except Exception:
            log.exception("job_failed", job=name)
        await asyncio.sleep(period_s)
