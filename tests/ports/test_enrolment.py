"""A backend that nobody holds to its port's promises is not one."""

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


def verbs(port: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")}


def port_of(kind: type) -> type | None:
    """The port of which it has every verb; of two, the one with more: a queue is taken from, as a limit is."""
    return max(
        (port for port in ENROLLED if verbs(port) <= set(dir(kind))), key=lambda port: len(verbs(port)), default=None
    )


@pytest.mark.parametrize("port", ENROLLED, ids=lambda port: str(port.__name__))
def test_every_adapter_of_a_port_is_held_to_it(port: type) -> None:
    assert verbs(port)
    assert {kind for kind in adapter_classes() if port_of(kind) is port} == ENROLLED[port]
