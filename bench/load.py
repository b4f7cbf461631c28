"""The load generator.

`python -m bench.load` reads orders as JSON lines from stdin. It uses raw sockets and prebuilt requests and
parses only Content-Length, so that the server is the slower side.
"""

import gc
import os
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec

from bench import wire
from bench.cpu import CoreTime, cpu_ns, families_ns, since

_GRACE = 30.0  # seconds to wait for the last answers
_SUCCESS = {b"200", b"202"}
_NONE: Mapping[str, int] = {}


class _Connection:
    """One keep-alive connection with at most one request in flight."""

    __slots__ = ("due", "got", "rest", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.due = 0.0  # monotonic time at which the request in flight was sent or scheduled
        self.got = b""  # the first part of an answer
        self.rest = memoryview(b"")  # the part of a request that is not sent yet


class Window:
    """The figures between the end of the warm-up and the end."""

    def __init__(self, pids: list[int], core: int, backends: Mapping[str, int] = _NONE) -> None:
        self.pids, self.core, self.backends = pids, core, backends
        self.latencies: list[float] = []  # seconds
        self.errors = 0
        self.sample = b""
        self.open()

    def open(self) -> None:
        """Start to count from now."""
        self.latencies.clear()
        self.backends_used = families_ns(self.backends)
        self.cpu, self.own, self.core_time = cpu_ns(self.pids), time.process_time(), CoreTime.now(self.core)
        self.start = time.monotonic()

    def close(self) -> wire.Round:
        """Return the figures from the start to now."""
        seconds = time.monotonic() - self.start
        cpu, own = cpu_ns(self.pids) - self.cpu, time.process_time() - self.own
        busy = CoreTime.now(self.core).busy_since(self.core_time)
        backends = since(self.backends_used, families_ns(self.backends))
        times = sorted(self.latencies)
        count = len(times)
        return wire.Round(
            requests=count,
            seconds=seconds,
            rate=count / seconds,
            cpu_us=cpu / 1e3 / max(1, count),
            server_share=cpu / 1e9 / seconds,
            server_core_busy=busy,
            load_share=own / seconds,
            p50_ms=times[count // 2] * 1e3 if times else 0.0,
            p99_ms=times[min(count - 1, count * 99 // 100)] * 1e3 if times else 0.0,
            max_ms=times[-1] * 1e3 if times else 0.0,
            errors=self.errors,
            sample=self.sample[-600:].decode(errors="replace"),
            backend_us={name: ns / 1e3 / max(1, count) for name, ns in backends.items()},
        )


class Connections:
    """All connections to one server."""

    def __init__(self, port: int, connections: int) -> None:
        self.port = port
        self.epoll = select.epoll()
        self.by_fd: dict[int, _Connection] = {}
        self.idle = [self.connect() for _ in range(connections)]

    def connect(self) -> _Connection:
        sock = socket.create_connection((wire.HOST, self.port), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        one = _Connection(sock)
        self.by_fd[sock.fileno()] = one
        self.epoll.register(sock.fileno(), select.EPOLLIN)
        return one

    def close(self) -> None:
        for one in self.by_fd.values():
            one.sock.close()
        self.epoll.close()

    def send(self, one: _Connection, request: bytes, due: float) -> None:
        """Send a request whose latency counts from `due`."""
        one.due = due
        sent = one.sock.send(request)
        if sent < len(request):
            one.rest = memoryview(request)[sent:]
            self.epoll.modify(one.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def poll(self, timeout: float, window: Window) -> list[_Connection]:
        """Wait at most `timeout` seconds and return connections with a complete answer."""
        if timeout > 0:
            select.select([self.epoll.fileno()], [], [], timeout)  # to the microsecond, unlike epoll's own timeout
        done = []
        by_fd, latencies = self.by_fd, window.latencies
        for fd, event in self.epoll.poll(0):
            one = by_fd[fd]
            if event & select.EPOLLOUT:
                self._send_rest(one)
                if event == select.EPOLLOUT:
                    continue
            try:
                data = one.sock.recv(65536)
            except OSError:
                data = b""
            if not data:
                done.append(self._reconnect(one, window))
                continue
            if one.got:
                data = one.got + data
            if not wire.response_size(data):
                one.got = data
                continue
            one.got = b""
            latencies.append(time.monotonic() - one.due)
            if data[9:12] not in _SUCCESS or b'"refused"' in data:
                _count_failure(data, window)
            window.sample = window.sample if window.errors else data
            done.append(one)
        return done

    def _send_rest(self, one: _Connection) -> None:
        with suppress(BlockingIOError):
            one.rest = one.rest[one.sock.send(one.rest) :]
        if not one.rest:
            self.epoll.modify(one.sock.fileno(), select.EPOLLIN)

    def _reconnect(self, one: _Connection, window: Window) -> _Connection:
        window.errors += 1
        window.sample = b"the server closed the connection after: " + (one.got or window.sample)
        fd = one.sock.fileno()
        self.epoll.unregister(fd)
        del self.by_fd[fd]
        one.sock.close()
        return self.connect()


def _count_failure(data: bytes, window: Window) -> None:
    """Count an answer as an error, unless it is of a batch without refused updates."""
    body = data.split(b"\r\n\r\n", 1)[1]
    if data[9:12] not in _SUCCESS or msgspec.json.decode(body).get("refused"):
        window.errors += 1
        window.sample = data


def run(order: wire.Load) -> wire.Round:
    """Send the load of an order and return the figures."""
    requests = order.requests.build()
    connections = Connections(order.port, order.connections)
    gc.collect()
    gc.disable()
    try:
        with _raised_priority():
            return (_open_loop if order.rate else _closed_loop)(order, connections, requests)
    finally:
        gc.enable()
        connections.close()


@contextmanager
def _raised_priority() -> Iterator[None]:
    """Run before other processes on this core, so that latencies exclude waits."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _closed_loop(order: wire.Load, connections: Connections, requests: list[bytes]) -> wire.Round:
    window = Window(order.pids, order.core, order.backends)
    send, poll, clock = connections.send, connections.poll, time.monotonic
    free, total, at = connections.idle, len(requests), 0
    warm_until = clock() + order.warm
    until = warm_until + order.seconds
    warm = True
    while (now := clock()) < until:
        if warm and now >= warm_until:
            window.open()
            warm = False
        for one in free:
            send(one, requests[at], clock())
            at += 1
            if at == total:
                at = 0
                if order.requests.kind == "keyed" and order.requests.players > 1:
                    raise RuntimeError("the round used all prepared idempotency keys")
        free = poll(0.5, window)
    figures = window.close()
    _finish(connections, window, order.connections - len(free))
    figures.errors = window.errors
    return figures


def _open_loop(order: wire.Load, connections: Connections, requests: list[bytes]) -> wire.Round:
    window = Window(order.pids, order.core, order.backends)
    clock, total, idle = time.monotonic, len(requests), connections.idle
    late: deque[float] = deque()  # scheduled while every connection is busy
    start = clock() + 0.01
    count, warm_count = int((order.warm + order.seconds) * order.rate), int(order.warm * order.rate)
    sent = planned = answered = 0
    end = start + order.warm + order.seconds + _GRACE
    while answered < count and (now := clock()) < end:
        while planned < count and start + planned / order.rate <= now:
            late.append(start + planned / order.rate)
            planned += 1
        while late and idle:
            connections.send(idle.pop(), requests[sent % total], late.popleft())
            sent += 1
        due = start + planned / order.rate if planned < count else end
        done = connections.poll(max(1e-6, min(0.5, due - clock())), window)
        idle.extend(done)
        if answered < warm_count <= answered + len(done):
            window.open()
        answered += len(done)
    window.errors += count - answered
    return window.close()


def _finish(connections: Connections, window: Window, in_flight: int) -> None:
    """Wait for the last answers, so that the next round starts with an idle server."""
    until = time.monotonic() + _GRACE
    while in_flight > 0 and time.monotonic() < until:
        in_flight -= len(connections.poll(0.5, window))


def preload(order: wire.Preload) -> wire.Round:
    """Give every player a score and return the figures."""
    players, step = order.requests.players, wire.BATCH
    connections = Connections(order.port, order.connections)
    window = Window([], 0)
    free, first = connections.idle, 0
    logged = answered_at = time.monotonic()
    try:
        while first < players or len(free) < order.connections:
            while free and first < players:
                connections.send(
                    free.pop(), order.requests.preload(first, min(first + step, players)), time.monotonic()
                )
                first += step
            answered = connections.poll(0.5, window)
            free += answered
            answered_at = time.monotonic() if answered else answered_at
            if time.monotonic() - answered_at > _GRACE:
                window.errors, window.sample = 1, b"no answer for %d s" % _GRACE
            if window.errors:
                break
            if time.monotonic() - logged > 2:
                logged = time.monotonic()
                rate = first / (logged - window.start)
                print(f"  players loaded: {first:,} of {players:,} ({rate:,.0f}/s)", file=sys.stderr, flush=True)
    finally:
        connections.close()
    return window.close()


def main() -> None:
    """Carry out orders until stdin ends."""
    decode = msgspec.json.Decoder(wire.Load | wire.Preload).decode
    for text in sys.stdin.buffer:
        order = decode(text)
        figures = run(order) if isinstance(order, wire.Load) else preload(order)
        sys.stdout.buffer.write(msgspec.json.encode(figures) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
