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
from scoreboard.entrypoints.http.endpoint import routes
from scoreboard.entrypoints.pages.contract import pages
from scoreboard.entrypoints.pages.documentation import LiveReference, Reference
from scoreboard.entrypoints.pages.live_page import Pages

Part = Literal["api", "live", "worker", "jobs"]
PARTS: frozenset[Part] = frozenset({"api", "live", "worker", "jobs"})


def mount_contracts(shared: Container, parts: frozenset[Part]) -> list[Contract]:
    """Return the contracts of the parts, the default one and frequent routes first."""
    authenticators = shared.authenticators
    api_routes = api.board_routes(shared) if "api" in parts else []
    live_routes = live.live_routes(shared) if "live" in parts else []
    page_routes = routes(Pages()) if "live" in parts else []
    if parts & {"api", "live"}:
        api_routes += routes(PublicBoardRoutes(PublicBoards(shared.directory, shared.ledger, shared.clock)))
        page_routes += routes(LiveReference(asyncapi.document()))
    if "api" in parts:
        api_routes += api.administration_routes(shared)
    api_routes += routes(ServiceRoutes(shared.warmed.is_set, shared.metrics))
    default = v1(api_routes, authenticators)
    if "api" in parts:
        page_routes += routes(Reference(openapi.document(default, DESCRIPTION)))
    return [default, v1_live(live_routes, authenticators), pages(page_routes)]
