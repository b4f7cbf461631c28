"""The worker that holds thousands of screens.

`python -m bench.screens` reads orders as JSON lines from stdin. A screen is a socket that subscribes to
the board and reads. A screen of the fan-out limit only connects and reads.
"""

import errno
import os
import select
import socket
import sys
import time
from contextlib import suppress

import msgspec

from bench import wire

_PER_ADDRESS = 8000  # connections from one source address, which has about 28,000 ports
_IN_FLIGHT = 64  # screens opened at the same time
_OPENING = 30.0  # seconds without progress until opening fails
_TOP = b'"type":"top"'
_PING, _PONG, _CLOSE = 9, 10, 8


class _Screens:
    """The screens of this process."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.parts: dict[int, bytes] = {}  # the first part of a frame or an answer, by file descriptor
        self.buffer = bytearray(1 << 16)
        self.view = memoryview(self.buffer)
        self.frame = b""
        self.frames = self.bytes = 0
        self.problem = ""

    # Opening

    def open(self, order: wire.Open) -> wire.Opened:
        """Open the screens, a few at a time so that the server can keep up."""
        start = progress = time.monotonic()
        waiting: dict[int, str] = {}  # next step by file descriptor
        begun = ready = 0
        while ready < order.count and not self.problem:
            while begun < order.count and len(waiting) < _IN_FLIGHT:
                waiting[self._connect(order.port, order.first + begun)] = "connect"
                begun += 1
            for fd, _ in self.epoll.poll(1.0):
                progress = time.monotonic()
                if fd in waiting and self._advance(fd, waiting, order.live):
                    del waiting[fd]
                    ready += 1
            if time.monotonic() - progress > _OPENING:
                self.problem = f"no screen made progress for {_OPENING:.0f} s"
        return wire.Opened(ready, time.monotonic() - start, self.frame, self.problem)

    def _connect(self, port: int, number: int) -> int:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        with suppress(AttributeError, OSError):  # without it an old kernel chooses the port too early
            sock.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        sock.bind((f"127.0.0.{1 + number // _PER_ADDRESS}", 0))
        sock.connect_ex((wire.HOST, port))
        self.sockets[sock.fileno()] = sock
        self.epoll.register(sock.fileno(), select.EPOLLOUT)
        return sock.fileno()

    def _advance(self, fd: int, waiting: dict[int, str], live: bool) -> bool:
        """Take the next step of opening a screen. Return whether it is open."""
        sock = self.sockets[fd]
        if waiting[fd] == "connect":
            failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                self.problem = f"connect: {errno.errorcode[failed]}"
                return False
            self.epoll.modify(fd, select.EPOLLIN)
            if live:
                sock.send(wire.UPGRADE)
                waiting[fd] = "upgrade"
            return not live
        data = self.parts.pop(fd, b"") + self._receive(sock)
        if waiting[fd] == "upgrade":
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                self.parts[fd] = data
                return False
            if b" 101 " not in head[:20]:
                self.problem = f"upgrade refused: {data[:300]!r}"
                return False
            sock.send(wire.SUBSCRIBE)
            waiting[fd] = "board"
            data = rest
        before = self.frame
        self.frame = b""
        self._frames(fd, data)
        shown = _TOP in self.frame
        self.frame = self.frame or before
        return shown

    def _receive(self, sock: socket.socket) -> bytes:
        try:
            data = sock.recv(65536)
        except OSError as error:
            data = b""
            self.problem = f"while opening: {error}"
        if not data:
            self.problem = self.problem or "the server closed a connection during opening"
        return data

    # Reading

    def _frames(self, fd: int, data: bytes) -> int:
        """Take the frames in `data`, keep what is left; how many carried text."""
        count = 0
        while True:
            head, size = wire.frame_size(data)
            if not size or len(data) < size:
                break
            opcode = data[0] & 15
            if opcode == _PING:
                self.sockets[fd].send(wire.masked(_PONG, data[head:size]))
            elif opcode == _CLOSE:
                self.problem = f"closed with {int.from_bytes(data[head : head + 2], 'big')} {data[head + 2 : size]!r}"
            else:
                count += 1
                self.frame = data[:size]
            data = data[size:]
        if data:
            self.parts[fd] = data
        return count

    def read(self, fd: int) -> int:
        """Read from a screen. Return the number of complete text frames."""
        sock = self.sockets[fd]
        try:
            size = sock.recv_into(self.buffer)
        except OSError:
            size = 0
        if not size:
            self._drop(fd)
            return 0
        self.bytes += size
        buffer = self.buffer
        # Nearly every read is exactly one text frame, which needs no copy.
        if buffer[0] == 0x81 and fd not in self.parts and wire.frame_size(self.view[:12])[1] == size:
            if not self.frame:
                self.frame = bytes(self.view[:size])
            return 1
        return self._frames(fd, self.parts.pop(fd, b"") + bytes(self.view[:size]))

    def _drop(self, fd: int) -> None:
        self.epoll.unregister(fd)
        self.sockets.pop(fd).close()

    def quiet(self, silence: float) -> None:
        """Read until `silence` seconds pass without data."""
        while events := self.epoll.poll(silence):
            for fd, _ in events:
                self.read(fd)

    def fire(self, order: wire.Fire) -> wire.Fired:
        """Send the trigger and wait for a frame on every quiet screen."""
        trigger = socket.create_connection((wire.HOST, order.port)) if order.port else None
        reply(wire.Armed())
        pending = set(self.sockets)
        poll, read = self.epoll.poll, self.read
        self.frame = b""
        own, start = time.process_time_ns(), time.monotonic_ns()
        first = last = 0
        if trigger:
            trigger.sendall(order.trigger)
        until = start + int(order.timeout * 1e9)
        while pending and time.monotonic_ns() < until:
            for fd, _ in poll(0.5, 256):
                if read(fd):
                    pending.discard(fd)
            first = first or time.monotonic_ns()
            last = time.monotonic_ns()
        own = time.process_time_ns() - own
        if trigger:
            trigger.settimeout(order.timeout)
            trigger.recv(65536)
            trigger.close()
        return wire.Fired(start, first, last, own, len(pending), self.frame)

    def drain(self, seconds: float) -> wire.Drained:
        """Read for some seconds and count frames."""
        until, before = time.monotonic() + seconds, self.bytes
        frames = 0
        while (left := until - time.monotonic()) > 0:
            for fd, _ in self.epoll.poll(left, 1024):
                frames += self.read(fd)
        return wire.Drained(frames, self.bytes - before, len(self.sockets))


Response = wire.Opened | wire.Armed | wire.Fired | wire.Drained


def reply(message: Response) -> None:
    """Send a report to the process that started this one."""
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Carry out orders until stdin ends."""
    if os.geteuid() != 0:
        os.nice(10)  # the load generator shares this core and must run first; as root it sets its own priority
    screens = _Screens()
    decode = msgspec.json.Decoder(wire.Open | wire.Fire | wire.Drain).decode
    for text in sys.stdin.buffer:
        match decode(text):
            case wire.Open() as order:
                reply(screens.open(order))
            case wire.Fire() as order:
                screens.quiet(0.4)
                reply(screens.fire(order))
            case wire.Drain() as order:
                reply(screens.drain(order.seconds))


if __name__ == "__main__":
    main()
