"""Every adapter of a port runs the suite of its port."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

from scoreboard import adapters
from tests.ports.backends import ENROLLED


def adapter_classes() -> Iterator[type]:
    for module in pkgutil.walk_packages(adapters.__path__, f"{adapters.__name__}."):
        found = importlib.import_module(module.name)
        yield from (kind for _, kind in inspect.getmembers(found, inspect.isclass) if kind.__module__ == module.name)


def methods(port: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")}


def port_of(kind: type) -> type | None:
    """Return the port whose methods a class has; if there are several, the largest."""
    return max(
        (port for port in ENROLLED if methods(port) <= set(dir(kind))),
        key=lambda port: len(methods(port)),
        default=None,
    )


@pytest.mark.parametrize("port", ENROLLED, ids=lambda port: str(port.__name__))
def test_every_adapter_of_a_port_is_enrolled(port: type) -> None:
    assert methods(port)
    assert {kind for kind in adapter_classes() if port_of(kind) is port} == ENROLLED[port]
