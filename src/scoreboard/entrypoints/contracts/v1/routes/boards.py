"""Reads of a board: top, standing, around, a set of players."""

from typing import NamedTuple

import msgspec
from aiohttp import web

from scoreboard.application.standings import reads
from scoreboard.application.standings.reads import PlayerStanding, Reads
from scoreboard.application.standings.top_pages import TopPages
from scoreboard.domain import instant
from scoreboard.domain.board import Board
from scoreboard.domain.submission import TableKey
from scoreboard.entrypoints.contracts.v1 import schema
from scoreboard.entrypoints.contracts.v1.entries import entries, score_text
from scoreboard.entrypoints.http.conditional import matches
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.json_body import decode_json
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

TABLE = ("invalid_season", "region_not_found")  # what can be wrong with a choice of table
RANKING = ("ranking_warming", "ranking_unavailable")

_encode = msgspec.json.Encoder().encode
_players = msgspec.json.Decoder(schema.PlayersWanted)


class _EncodedPage(NamedTuple):
    etag: str
    headers: bytes
    body: bytes


class BoardRoutes:
    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._pages = TopPages(reads, _encoded_page)

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
                "read_standings",
                query=schema.TopQuery,
                headers=("If-None-Match",),
                replies={200: schema.Page, 304: None},
                sends=("ETag",),
                errors=(*TABLE, *RANKING, "invalid_limit", "invalid_cursor"),
            ),
            Endpoint(
                "GET",
                f"{board}/players/{{player}}",
                "getStanding",
                "One player's standing",
                self.standing,
                "boards",
                "read_standings",
                query=schema.TableQuery,
                replies={200: schema.Standing},
                errors=(*TABLE, "standing_not_found"),
            ),
            Endpoint(
                "GET",
                f"{board}/players/{{player}}/around",
                "getAround",
                "A player and the neighbours",
                self.around,
                "boards",
                "read_standings",
                query=schema.AroundQuery,
                replies={200: schema.Page},
                errors=(*TABLE, *RANKING, "standing_not_found", "invalid_radius"),
            ),
            Endpoint(
                "POST",
                f"{board}/players/query",
                "queryPlayers",
                "The standings of a set of players, such as friends",
                self.query_players,
                "boards",
                "read_standings",
                body=schema.PlayersWanted,
                query=schema.TableQuery,
                replies={200: schema.PlayersFound},
                errors=(*TABLE, *RANKING),
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
        query = call.query(schema.TopQuery) if call.query_text else _NO_QUERY
        app, name = call.path
        board, key = await self._reads.open(call.principal, app, name, query.season, query.region)
        page = await self._pages.get(board, key, query.limit, query.cursor)
        asked = call.header("If-None-Match")
        if asked is not None and matches(page.etag, asked):
            return Response(304, b"", page.headers)
        return Response(200, page.body, page.headers)

    async def standing(self, call: RequestContext) -> web.StreamResponse:
        """Where one player stands: score, rank, how many share the score, the part of the others who are worse, and the
        points missing to the nearest better score.

        While the ranking is being loaded the score still comes, from the database, with `rank: null`, and `rank_state`
        says why. A rank is right or absent. Where the server keeps only the best of a table in Redis
        (`SCOREBOARD_RANKING_KEEP`), `total` and the `percentile` that is made of it may be some seconds old.

        - **Who**: anybody, on a public board; else any token of the app.
        - **Cost**: as cheap for the last of a million players as for the first.
        """
        board, key = await self._table(call)
        place = await self._reads.get_standing(board, key, call.path[2])
        return Response(200, _encode(_standing(board, place)), _UNCACHED)

    async def around(self, call: RequestContext) -> web.StreamResponse:
        """A player with `radius` neighbours on each side, best first.

        Near the top and the bottom the window is shifted, not cut: there are always `2 * radius + 1` lines on a board
        with as many players.

        - **Who**: anybody, on a public board; else any token of the app.
        - **Cost**: grows with `radius`, not with the board.
        """
        app, name, player = call.path
        query = call.query(schema.AroundQuery)
        board, key = await self._reads.open(call.principal, app, name, query.season, query.region)
        page = await self._reads.around(board, key, player, query.radius)
        return Response(200, _encode(_page_of(board, page)), _UNCACHED)

    async def query_players(self, call: RequestContext) -> web.StreamResponse:
        """The standings of up to 200 players at once, best first, with their ranks on the whole board. Who has no
        standing in this table is listed in `not_found`.

        It is a read, sent as POST because of its length; it may be repeated freely.

        - **Who**: anybody, on a public board; else any token of the app.
        - **Cost**: as much as one standing for each player named.
        """
        board, key = await self._table(call)
        wanted = decode_json(_players, await call.body()).players
        lines, missing = await self._reads.get_standings(board, key, wanted)
        return Response(200, _encode(schema.PlayersFound(entries(board, lines), missing)), _UNCACHED)

    async def _table(self, call: RequestContext) -> tuple[Board, TableKey]:
        """The board and the table that the address and a TableQuery name, opened for the principal."""
        query = call.query(schema.TableQuery) if call.query_text else _NO_QUERY
        return await self._reads.open(call.principal, call.path[0], call.path[1], query.season, query.region)


_NO_QUERY = schema.TopQuery()
_UNCACHED = b"Cache-Control: no-store\r\n"


def _encoded_page(board: Board, page: reads.Page, version: str) -> _EncodedPage:
    etag = f'"{version}"'
    freshness = "public" if board.public else "private"
    headers = f"ETag: {etag}\r\nCache-Control: {freshness}, no-cache\r\n".encode()
    return _EncodedPage(etag, headers, _encode(_page_of(board, page)))


def _page_of(board: Board, page: reads.Page) -> schema.Page:
    return schema.Page(
        board.app.slug,
        board.slug,
        page.key.season,
        page.key.region or None,
        page.position.epoch,
        page.position.offset,
        page.total,
        "exact",
        entries(board, page.lines),
        page.next_cursor,
    )


def _standing(board: Board, place: PlayerStanding) -> schema.Standing:
    details, gap = place.details, place.gap_to_next
    return schema.Standing(
        place.player,
        place.key.season,
        place.key.region or None,
        score_text(board, place.score),
        None if details is None else details.entry.rank,
        place.rank_state,
        None if details is None else details.total,
        None if details is None else details.ties,
        place.percentile,
        None if gap is None else score_text(board, gap),
        instant.to_text(place.reached_at),
    )
