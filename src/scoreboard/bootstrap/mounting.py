"""The contracts and pages that the parts of a process serve."""

from typing import Literal

from scoreboard.application.standings.public_boards import PublicBoards
from scoreboard.bootstrap.container import Container
from scoreboard.bootstrap.parts import api, live
from scoreboard.entrypoints.contracts.v1.contract import v1, v1_live
from scoreboard.entrypoints.contracts.v1.descriptions import DESCRIPTION
from scoreboard.entrypoints.contracts.v1.live import asyncapi
from scoreboard.entrypoints.contracts.v1.routes.public_boards import PublicBoardRoutes
from scoreboard.entrypoints.contracts.v1.routes.service import ServiceRoutes
from scoreboard.entrypoints.http import openapi
from scoreboard.entrypoints.http.contract import Contract
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.pages.contract import pages
from scoreboard.entrypoints.pages.documentation import LiveReference, Reference
from scoreboard.entrypoints.pages.live_page import Pages

Part = Literal["api", "live", "worker", "jobs"]
PARTS: frozenset[Part] = frozenset({"api", "live", "worker", "jobs"})


def mount_contracts(shared: Container, parts: frozenset[Part]) -> list[Contract]:
    """Return the contracts of the parts, the default one and frequent routes first."""
    authenticators = shared.authenticators
    routes: list[Endpoint] = []
    live_routes: list[Endpoint] = []
    page_routes: list[Endpoint] = []
    if "api" in parts:
        routes += api.board_routes(shared)
    if "live" in parts:
        live_routes += live.routes(shared)
        page_routes += Pages().routes()
    if parts & {"api", "live"}:
        routes += PublicBoardRoutes(PublicBoards(shared.directory, shared.ledger, shared.clock)).routes()
        page_routes += LiveReference(asyncapi.document()).routes()
    if "api" in parts:
        routes += api.administration_routes(shared)
    routes += ServiceRoutes(shared.warmed.is_set, shared.metrics).routes()
    default = v1(routes, authenticators)
    if "api" in parts:
        page_routes += Reference(openapi.document(default, DESCRIPTION)).routes()
    return [default, v1_live(live_routes, authenticators), pages(page_routes)]
