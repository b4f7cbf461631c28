"""The fan-out limit: `fanout.c`, or a Python program without a C compiler.

`python -m bench.limits.fanout FRAME_FILE` is the Python program; it has the interface of the C program.
"""

import os
import select
import shutil
import socket
import subprocess
import sys
from pathlib import Path


def command(build: Path, frame: Path) -> tuple[list[str], str]:
    """Return the command that sends the frame of a file, and the name of the limit."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return [sys.executable, "-m", "bench.limits.fanout", str(frame)], "Python os.write loop (no C compiler here)"
    source, target = Path(__file__).with_suffix(".c"), build / "fanout"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        subprocess.run([compiler, "-O2", "-Wall", "-o", str(target), str(source)], check=True)
    return [str(target), str(frame)], "C epoll program"


def _listener() -> socket.socket:
    door = socket.create_server(("127.0.0.1", 0), backlog=4096)
    door.setblocking(False)
    return door


def _write_frame(screens: dict[int, socket.socket], frame: bytes) -> None:
    for fd, screen in screens.items():
        rest = frame
        while rest:
            try:
                rest = rest[os.write(fd, rest) :]
            except BlockingIOError:
                select.select([], [screen], [], 1.0)
            except OSError:
                break  # the screen has closed; its end arrives as an event


def _serve(frame: bytes) -> None:
    door, control_door = _listener(), _listener()
    print(door.getsockname()[1], control_door.getsockname()[1], flush=True)
    epoll = select.epoll()
    for fd in (door.fileno(), control_door.fileno(), 0):
        epoll.register(fd, select.EPOLLIN)
    screens: dict[int, socket.socket] = {}
    controls: dict[int, socket.socket] = {}
    while True:
        for fd, _ in epoll.poll():
            if fd == 0:
                if not os.read(0, 4096):
                    return
            elif fd in (door.fileno(), control_door.fileno()):
                opened, held = (door, screens) if fd == door.fileno() else (control_door, controls)
                new, _ = opened.accept()
                new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                new.setblocking(False)
                held[new.fileno()] = new
                epoll.register(new.fileno(), select.EPOLLIN)
            elif not os.read(fd, 4096):
                (screens.pop(fd, None) or controls.pop(fd)).close()
            elif fd in controls:
                _write_frame(screens, frame)
                os.write(fd, b"!")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]).read_bytes())
