import pytest
from aiohttp import web

from scoreboard.entrypoints.contracts.v1.errors import render_error
from scoreboard.entrypoints.http.contract import Contract
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.router import Router


async def nobody(_: web.BaseRequest) -> None:
    return None


async def handler(_: RequestContext) -> web.StreamResponse:
    raise AssertionError("the router must not call handlers")


def contract(name: str, *paths: str) -> Contract:
    endpoints = [Endpoint(handler, "GET", path, path, name, "use_service") for path in paths]
    return Contract(name, endpoints, nobody, render_error)


@pytest.fixture
def router() -> Router:
    default = contract("default", "/", "/v1/apps/{app}")
    router = Router(default)
    for mounted in (
        default,
        contract("a", "/api/scores/update", "/leaderboard"),
        contract("b", "/api/actions/{action}/complete", "/api/leaderboard/user/{user}"),
    ):
        router.add(mounted)
    return router


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/api/scores/update", "a"),
        ("/api/scores/update/more/and/more", "a"),
        ("/api/scores/unknown", "a"),
        ("/leaderboard/unknown", "a"),
        ("/api/actions/x", "b"),
        ("/api/leaderboard/user", "b"),
        ("/api/unknown", "default"),  # shared by a and b
        ("/api", "default"),
        ("/apiary", "default"),
        ("/unknown", "default"),
        ("/", "default"),
        ("", "default"),
        ("*", "default"),
        ("//api/scores", "default"),
        ("/" * 8_000, "default"),
    ],
)
def test_errors_are_rendered_by_the_contract_of_the_longest_prefix(router: Router, path: str, owner: str) -> None:
    assert router.owner(path).name == owner


def test_a_route_has_its_contract(router: Router) -> None:
    route, values = router.match("GET", "/api/actions/quest%2F1/complete")
    assert (route.contract.name, values) == ("b", ["quest/1"])


def test_two_contracts_cannot_serve_the_same_path(router: Router) -> None:
    with pytest.raises(ValueError, match="GET /leaderboard is served twice"):
        router.add(contract("c", "/leaderboard"))
