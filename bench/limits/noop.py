"""The HTTP limit: an aiohttp application on uvloop without any work.

`python -m bench.limits.noop PORT SIZES` starts it. SIZES is a JSON object from
"METHOD /path" to the size of its answer in bytes. A POST only reads its body.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

import uvloop
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.Response]]


def _reader(answer: bytes) -> Handler:
    async def get(_request: web.Request) -> web.Response:
        return web.Response(body=answer, content_type="application/json")

    return get


def _writer(answer: bytes) -> Handler:
    async def post(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=answer, content_type="application/json")

    return post


async def _serve(port: int, sizes: dict[str, int]) -> None:
    app = web.Application()
    for route, size in sizes.items():
        method, path = route.split(" ", 1)
        answer = b'"' + b"x" * max(0, size - 2) + b'"'
        app.router.add_route(method, path, _writer(answer) if method == "POST" else _reader(answer))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), json.loads(sys.argv[2])))
