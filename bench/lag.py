"""The worker that measures the time from an answer to the board.

`python -m bench.lag` reads orders as JSON lines from stdin. It sends queued updates of the winners on a
schedule while one screen watches the board. Each update adds one, so the sum of the winners' scores is the number of
updates that the board shows. The k-th answer is on the board with the first frame that shows k.
"""

import re
import socket
import sys
import threading
import time
from collections import deque
from contextlib import suppress

import msgspec

from bench import wire
from bench.load import Connections, Window

_CONNECTIONS = 64
_GRACE = 30.0  # seconds to wait for the last update
_SCORE = re.compile(rb'"score":"?(-?\d+)')
_ENTRIES = b'"entries":['


class _Screen(threading.Thread):
    """A thread that notes the sum of the board at each monotonic instant."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, int]] = []
        self.sock = socket.create_connection((wire.HOST, port), timeout=_GRACE)
        self.sock.sendall(wire.UPGRADE)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._received()
        self._data = data.partition(b"\r\n\r\n")[2]
        self.sock.sendall(wire.SUBSCRIBE)
        while not self.seen:
            self._take()

    def run(self) -> None:
        with suppress(OSError):
            while True:
                self._take()

    def close(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.join()
        self.sock.close()

    def _received(self) -> bytes:
        data = self.sock.recv(65536)
        if not data:
            raise OSError("the screen was closed")
        return data

    def _take(self) -> None:
        head, size = wire.frame_size(self._data)
        while not size or len(self._data) < size:
            self._data += self._received()
            head, size = wire.frame_size(self._data)
        now, frame, self._data = time.monotonic(), self._data[head:size], self._data[size:]
        _, found, entries = frame.partition(_ENTRIES)
        if found:
            scores = _SCORE.findall(entries.partition(b"]")[0])
            self.seen.append((now, sum(map(int, scores[: wire.WINNERS]))))


def measure(order: wire.Lag) -> wire.Lags:
    """Send the updates of an order and return their lags."""
    count = int(order.rate * order.seconds)
    requests = wire.Requests("queued_winner", order.token, count=count, seed=order.seed).build()
    screen = _Screen(order.watched)
    base = screen.seen[-1][1]
    screen.start()
    connections, window = Connections(order.port, _CONNECTIONS), Window([], 0)
    try:
        answered = _sent(connections, window, requests, order.rate)
        until = time.monotonic() + _GRACE
        while screen.seen[-1][1] - base < len(answered) and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        connections.close()
        screen.close()
    return _lags(answered, [(at, total - base) for at, total in screen.seen], window)


def _sent(connections: Connections, window: Window, requests: list[bytes], rate: float) -> list[float]:
    """Send the requests and return the instant of each answer, by the monotonic clock."""
    answered: list[float] = []
    late: deque[float] = deque()
    start = time.monotonic()
    planned, end = 0, start + len(requests) / rate + _GRACE
    while len(answered) < len(requests) and (now := time.monotonic()) < end:
        while planned < len(requests) and start + planned / rate <= now:
            late.append(start + planned / rate)
            planned += 1
        while late and connections.idle:
            connections.send(connections.idle.pop(), requests[planned - len(late)], late.popleft())
        due = start + planned / rate if planned < len(requests) else now + 0.5
        done = connections.poll(max(1e-6, min(0.5, due - time.monotonic())), window)
        answered += [time.monotonic()] * len(done)
        connections.idle.extend(done)
    return answered


def _lags(answered: list[float], seen: list[tuple[float, int]], window: Window) -> wire.Lags:
    lags, at = [], 0
    for number, instant in enumerate(answered, 1):
        while at < len(seen) and seen[at][1] < number:
            at += 1
        if at == len(seen):
            break
        lags.append(max(0.0, seen[at][0] - instant) * 1e3)
    figures, lags = window.close(), sorted(lags)
    problem = figures.sample if window.errors else ""
    if len(lags) < len(answered):
        problem = problem or f"the board showed {len(lags)} of {len(answered)} updates"
    if not lags:
        return wire.Lags(0, 0, 0, 0, figures.p50_ms, figures.p99_ms, len(seen), problem or "nothing was answered")
    p50, p99 = lags[len(lags) // 2], lags[min(len(lags) - 1, len(lags) * 99 // 100)]
    return wire.Lags(len(lags), p50, p99, lags[-1], figures.p50_ms, figures.p99_ms, len(seen), problem)


def main() -> None:
    """Carry out orders until stdin ends."""
    for text in sys.stdin.buffer:
        found = measure(msgspec.json.decode(text, type=wire.Lag))
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
