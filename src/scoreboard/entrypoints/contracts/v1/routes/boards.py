"""Reads of a board: top, standing, around, a set of players."""

from collections import OrderedDict
from typing import NamedTuple

import msgspec
from aiohttp import web

from scoreboard.application.identity import authorization as authenticate
from scoreboard.application.live.messages import entries, score_text
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ranking import Details, NotRanked, Position
from scoreboard.application.standings import reads
from scoreboard.application.standings.reads import Place, Reads
from scoreboard.domain import instant
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import TableKey
from scoreboard.entrypoints.contracts.v1 import schema
from scoreboard.entrypoints.http.conditional import matches
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.json_body import decode_json
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

PAGES_CACHED = 1_000

TABLE = ("invalid_season", "region_not_found")  # what can be wrong with a choice of table
RANKING = ("ranking_warming", "ranking_unavailable")

_encode = msgspec.json.Encoder().encode
_players = msgspec.json.Decoder(schema.PlayersWanted)


class _Kept(NamedTuple):
    """An encoded page, good for as long as its board and its table's validator are these."""

    board: Board
    validator: tuple[Position, int]
    etag: str
    headers: bytes
    body: bytes


class BoardRoutes:
    def __init__(self, reads: Reads, directory: Directory) -> None:
        self._reads = reads
        self._directory = directory
        self._pages: OrderedDict[tuple[TableKey, int, str | None], _Kept] = OrderedDict()

    def routes(self) -> list[Endpoint]:
        board = "/v1/apps/{app}/boards/{board}"
        return [
            Endpoint(
                "GET",
                f"{board}/top",
                "getTop",
                "The best standings, page by page",
                self.top,
                "boards",
                query=schema.TopQuery,
                headers=("If-None-Match",),
                replies={200: schema.Page, 304: None},
                sends=("ETag",),
                errors=(*TABLE, *RANKING, "invalid_limit", "invalid_cursor"),
                secured=False,
            ),
            Endpoint(
                "GET",
                f"{board}/players/{{player}}",
                "getStanding",
                "One player's standing",
                self.standing,
                "boards",
                query=schema.TableQuery,
                replies={200: schema.Standing},
                errors=(*TABLE, "standing_not_found"),
                secured=False,
            ),
            Endpoint(
                "GET",
                f"{board}/players/{{player}}/around",
                "getAround",
                "A player and the neighbours",
                self.around,
                "boards",
                query=schema.AroundQuery,
                replies={200: schema.Page},
                errors=(*TABLE, *RANKING, "standing_not_found", "invalid_radius"),
                secured=False,
            ),
            Endpoint(
                "POST",
                f"{board}/players/query",
                "queryPlayers",
                "The standings of a set of players, such as friends",
                self.several,
                "boards",
                body=schema.PlayersWanted,
                query=schema.TableQuery,
                replies={200: schema.PlayersFound},
                errors=(*TABLE, *RANKING),
                secured=False,
            ),
        ]

    async def top(self, call: RequestContext) -> web.StreamResponse:
        """Lines of one table, best first; all of one page are of the same instant.

        Without `limit` it is the board's top N. `next_cursor` leads to the lines behind the last one, by score and not
        by place: nobody is shown twice because others moved meanwhile. It is null on the last page.

        Poll it with `If-None-Match`: as long as nothing changed the answer is 304, without a body. To be told of
        changes use the live stream instead (`/asyncapi.json`).

        - **Who**: anybody, on a public board; else any token of the app.
        - **Cost**: cheap; a page that did not change is answered from memory.
        """
        board = await self._board(call)
        query = call.query(schema.TopQuery) if call.query_text else _NO_QUERY
        key = self._reads.table(board, query.season, query.region)
        limit = board.top_n if query.limit is None else query.limit
        try:
            kept = self._pages.get((key, limit, query.cursor))
            if kept is None or kept.board is not board or kept.validator != await self._reads.validator(key, board):
                kept = await self._page(board, key, limit, query.cursor)
        except NotRanked as error:
            raise _not_ranked(error) from error
        asked = call.header("If-None-Match")
        if asked is not None and matches(kept.etag, asked):
            return Response(304, b"", kept.headers)
        return Response(200, kept.body, kept.headers)

    async def _page(self, board: Board, key: TableKey, limit: int, cursor: str | None) -> _Kept:
        """Read and encode a page, and keep it for as long as the table and the names stay as they are. Raises
        NotRanked."""
        # Before the names are read: a rename meanwhile makes the page old at once.
        _, names = await self._reads.validator(key, board)
        page = await self._reads.top(board, key, limit, cursor)
        validator = page.position, names
        freshness = "public" if board.public else "private"
        etag = f'"{page.position.epoch}-{page.position.offset}-{names}-{limit}"'
        headers = f"ETag: {etag}\r\nCache-Control: {freshness}, no-cache\r\n".encode()
        kept = _Kept(board, validator, etag, headers, _encode(_page_of(board, page)))
        self._pages[key, limit, cursor] = kept
        if len(self._pages) > PAGES_CACHED:
            self._pages.popitem(last=False)
        return kept

    async def standing(self, call: RequestContext) -> web.StreamResponse:
        """Where one player stands: score, rank, how many share the score, the part of the others who are worse, and the
        points missing to the nearest better score.

        While the ranking is being loaded the score still comes, from the database, with `rank: null`, and `rank_state`
        says why. A rank is right or absent. Where the server keeps only the best of a table in Redis
        (`SCOREBOARD_RANKING_KEEP`), `total` and the `percentile` that is made of it may be some seconds old.

        - **Who**: anybody, on a public board; else any token of the app.
        - **Cost**: as cheap for the last of a million players as for the first.
        """
        board = await self._board(call)
        key = self._table(board, call)
        place = await self._reads.place(board, key, call.path[2])
        return Response(200, _encode(_standing(board, place)), _UNCACHED)

    async def around(self, call: RequestContext) -> web.StreamResponse:
        """A player with `radius` neighbours on each side, best first.

        Near the top and the bottom the window is shifted, not cut: there are always `2 * radius + 1` lines on a board
        with as many players.

        - **Who**: anybody, on a public board; else any token of the app.
        - **Cost**: grows with `radius`, not with the board.
        """
        board = await self._board(call)
        query = call.query(schema.AroundQuery)
        key = self._reads.table(board, query.season, query.region)
        try:
            page = await self._reads.around(board, key, call.path[2], query.radius)
        except NotRanked as error:
            raise _not_ranked(error) from error
        return Response(200, _encode(_page_of(board, page)), _UNCACHED)

    async def several(self, call: RequestContext) -> web.StreamResponse:
        """The standings of up to 200 players at once, best first, with their ranks on the whole board. Who has no
        standing in this table is listed in `not_found`.

        It is a read, sent as POST because of its length; it may be repeated freely.

        - **Who**: anybody, on a public board; else any token of the app.
        - **Cost**: as much as one standing for each player named.
        """
        board = await self._board(call)
        key = self._table(board, call)
        wanted = decode_json(_players, await call.body()).players
        try:
            lines, missing = await self._reads.several(board, key, wanted)
        except NotRanked as error:
            raise _not_ranked(error) from error
        return Response(200, _encode(schema.PlayersFound(entries(board, lines), missing)), _UNCACHED)

    async def _board(self, call: RequestContext) -> Board:
        board = await self._directory.board(call.path[0], call.path[1])
        authenticate.require_read(call.principal, board)
        return board

    def _table(self, board: Board, call: RequestContext) -> TableKey:
        query = call.query(schema.TableQuery) if call.query_text else _NO_QUERY
        return self._reads.table(board, query.season, query.region)


_NO_QUERY = schema.TopQuery()
_UNCACHED = b"Cache-Control: no-store\r\n"


def _not_ranked(error: NotRanked) -> Unavailable:
    return Unavailable(
        f"ranking_{error.state}", f"the ranking is {error.state}; try again in a moment", retry_after_s=1
    )


def _page_of(board: Board, page: reads.Page) -> schema.Page:
    return schema.Page(
        board.app.app,
        board.board,
        page.key.season,
        page.key.region or None,
        page.position.epoch,
        page.position.offset,
        page.total,
        "exact",
        entries(board, page.lines),
        page.next_cursor,
    )


def _standing(board: Board, place: Place) -> schema.Standing:
    details = place.details
    standing = schema.Standing(
        place.player,
        place.key.season,
        place.key.region or None,
        score_text(board, place.score),
        None,
        place.rank_state,
        None,
        None,
        None,
        None,
        instant.to_text(place.reached_at),
    )
    if details is not None:
        standing.rank, standing.total, standing.ties = details.ranked.rank, details.total, details.ties
        standing.percentile = _percentile(details)
        if details.next_score is not None:
            standing.gap_to_next = score_text(board, abs(details.next_score - place.score))
    return standing


def _percentile(details: Details) -> float:
    others = details.total - 1
    return round(100 * details.worse / others, 2) if others else 100.0
