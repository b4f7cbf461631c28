"""The boards that everybody may read, for pages that let people choose."""

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from scoreboard.application.standings.public_boards import MAX_LISTED, PublicBoards
from scoreboard.domain.board import Board, Direction, Operator, Period
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response


class PageBoard(msgspec.Struct):
    """A public board, as far as a page needs it."""

    app: str
    app_name: str
    board: str
    name: str
    operator: Operator
    direction: Direction
    period: Period
    regions: tuple[str, ...]
    top_n: int


class PageBoards(msgspec.Struct):
    """`shown` is the board asked for, or else the first; null when there is none, or when it is not public. `seasons`
    are those of `shown`, the current one first. `boards` are public boards to choose from."""

    shown: PageBoard | None
    seasons: list[str]
    boards: list[PageBoard]


class PageQuery(msgspec.Struct, forbid_unknown_fields=True):
    app: str | None = None
    board: str | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_LISTED)] = 100


class PublicBoardRoutes:
    def __init__(self, boards: PublicBoards) -> None:
        self._boards = boards

    def routes(self) -> list[Endpoint]:
        return [
            Endpoint(
                "GET",
                "/v1/page",
                "getPublicBoards",
                "The boards that everybody may read",
                self.public_boards,
                "service",
                "use_service",
                query=PageQuery,
                replies={200: PageBoards},
                errors=("storage_failed",),
            )
        ]

    async def public_boards(self, call: RequestContext) -> web.StreamResponse:
        """The board named, or else the first that fits, with its seasons; and public boards to choose from. One that is
        not public is neither shown nor listed. The list may be a second old."""
        query = call.query(PageQuery)
        shown = await self._boards.shown(query.app, query.board)
        seasons = [] if shown is None else await self._boards.seasons(shown)
        listed = (await self._boards.listed())[: query.limit]
        answer = PageBoards(None if shown is None else _page_board(shown), seasons, [_page_board(b) for b in listed])
        return Response(200, msgspec.json.encode(answer), b"Cache-Control: no-store\r\n")


def _page_board(board: Board) -> PageBoard:
    return PageBoard(
        board.app.slug,
        board.app.name,
        board.slug,
        board.name,
        board.operator,
        board.direction,
        board.period,
        board.regions,
        board.top_n,
    )
