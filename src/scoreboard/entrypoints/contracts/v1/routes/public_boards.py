"""Public boards, for pages that let users choose one."""

from typing import Annotated

import msgspec
from msgspec import Meta

from scoreboard.application.standings.public_boards import MAX_LISTED, PublicBoards
from scoreboard.domain import codes
from scoreboard.domain.board import Board, Direction, Operator, Period
from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.json_body import json_response
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response


class PageBoard(msgspec.Struct):
    """A public board, with the fields that a page needs."""

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
    """Public boards to choose from, and the one to show.

    `shown` is the requested board, or the first that matches. It is null if no public board matches. `seasons` are
    those of `shown`, the current one first.
    """

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

    @endpoint(
        "GET",
        "/v1/page",
        name="getPublicBoards",
        tag="service",
        policy="use_service",
        query=PageQuery,
        responses={200: PageBoards},
        errors=[codes.STORAGE_FAILED],
    )
    async def public_boards(self, context: RequestContext) -> Response:
        """List the public boards, and get the one to show.

        `app` and `board` select the board to show. If one or both are missing, it is the first board that matches. The
        response has the seasons of this board, and a list of public boards, which may be a second old. Private boards
        are neither shown nor listed.
        """
        query = context.query(PageQuery)
        shown = await self._boards.shown(query.app, query.board)
        seasons = [] if shown is None else await self._boards.seasons(shown)
        listed = [_page_board(board) for board in (await self._boards.listed())[: query.limit]]
        return json_response(PageBoards(None if shown is None else _page_board(shown), seasons, listed))


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
