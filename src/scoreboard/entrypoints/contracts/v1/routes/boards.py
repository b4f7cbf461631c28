"""Reads of a board: top, standing, neighbours, a set of players."""

from functools import partial
from typing import NamedTuple

import msgspec

from scoreboard.application.standings import reads
from scoreboard.application.standings.reads import PlayerStanding, Reads
from scoreboard.application.standings.top_pages import TopPages
from scoreboard.domain import codes, instant
from scoreboard.domain.board import Board
from scoreboard.domain.submission import TableKey
from scoreboard.entrypoints.contracts.v1 import schema
from scoreboard.entrypoints.contracts.v1.entries import encode_score, entries
from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.json_body import decode_json, encode_json, json_response
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

TABLE = (codes.INVALID_SEASON, codes.REGION_NOT_FOUND)  # of the parameters `season` and `region`
RANKING = (codes.RANKING_WARMING, codes.RANKING_UNAVAILABLE)

_decoder = msgspec.json.Decoder(schema.StandingsRequest)
_NO_QUERY = schema.TopQuery()

_endpoint = partial(endpoint, tag="boards", policy="read_standings")


class _EncodedPage(NamedTuple):
    etag: str
    headers: bytes
    body: bytes


class BoardRoutes:
    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._pages = TopPages(reads, _encode_page)

    @_endpoint(
        "GET",
        "/v1/apps/{app}/boards/{board}/top",
        name="getTop",
        query=schema.TopQuery,
        responses={200: schema.Page, 304: None},
        errors=[*TABLE, *RANKING, codes.INVALID_LIMIT, codes.INVALID_CURSOR],
        request_headers=["If-None-Match"],
        response_headers=["ETag"],
    )
    async def top(self, context: RequestContext) -> Response:
        """Get the best standings, page by page.

        All entries of a page are from the same moment. Without `limit` you get the board's top N. `next_cursor` is the
        cursor of the next page, or null on the last page. A cursor continues after the score of the last entry, so that
        no player appears twice when others move.

        To poll, send `If-None-Match`: if nothing has changed, the response is 304 without a body. To receive changes
        without polling, use a live connection (`/asyncapi.json`).

        **Cost**: low, as unchanged pages are served from memory.
        """
        query = context.query(schema.TopQuery) if context.query_text else _NO_QUERY
        app, board_id = context.path
        board, key = await self._reads.open(context.principal, app, board_id, query.season, query.region)
        page = await self._pages.get(board, key, query.limit, query.cursor)
        if context.has_current(page.etag):
            return Response(304, b"", page.headers)
        return Response(200, page.body, page.headers)

    @_endpoint(
        "GET",
        "/v1/apps/{app}/boards/{board}/players/{player}",
        name="getStanding",
        query=schema.TableQuery,
        responses={200: schema.Standing},
        errors=[*TABLE, codes.STANDING_NOT_FOUND],
    )
    async def standing(self, context: RequestContext) -> Response:
        """Get the score and rank of one player.

        `ties` counts the other players with the same score. `percentile` is the share of the others with a worse score,
        and `gap_to_next` the distance to the next better score.

        While the ranking is not available, the score is read from the database. `rank` is then null, and `rank_state`
        has the reason. A rank is exact or absent. If the server keeps only the best of a table in Redis
        (`SCOREBOARD_RANKING_KEEP`), `total` and `percentile` may be some seconds old.

        **Cost**: the same for the first and the last of a million players.
        """
        board, key = await self._table(context)
        standing = await self._reads.get_standing(board, key, context.path[2])
        return json_response(_standing(board, standing))

    @_endpoint(
        "GET",
        "/v1/apps/{app}/boards/{board}/players/{player}/around",
        name="getAround",
        query=schema.AroundQuery,
        responses={200: schema.Page},
        errors=[*TABLE, *RANKING, codes.STANDING_NOT_FOUND, codes.INVALID_RADIUS],
    )
    async def around(self, context: RequestContext) -> Response:
        """Get a player and the neighbours, best first.

        The response has `radius` neighbours on each side. Near the top and the bottom of a board the window is shifted,
        not shortened. It has `2 * radius + 1` entries on every board with at least that many players.

        **Cost**: grows with `radius`, not with the board.
        """
        app, board_id, player = context.path
        query = context.query(schema.AroundQuery)
        board, key = await self._reads.open(context.principal, app, board_id, query.season, query.region)
        page = await self._reads.around(board, key, player, query.radius)
        return json_response(_page(board, page))

    @_endpoint(
        "POST",
        "/v1/apps/{app}/boards/{board}/players/query",
        name="queryPlayers",
        body=schema.StandingsRequest,
        query=schema.TableQuery,
        responses={200: schema.StandingsResponse},
        errors=[*TABLE, *RANKING],
    )
    async def query_players(self, context: RequestContext) -> Response:
        """Get the standings of a set of players, such as friends.

        The request names up to 200 players. The response has their standings, best first, with their ranks on the whole
        board. Players without a standing in this table are listed in `not_found`.

        This is a read, and safe to repeat. It is a POST because the list may be too long for an address.

        **Cost**: that of one standing per player.
        """
        board, key = await self._table(context)
        players = decode_json(_decoder, await context.body()).players
        lines, missing = await self._reads.get_standings(board, key, players)
        return json_response(schema.StandingsResponse(entries(board, lines), missing))

    async def _table(self, context: RequestContext) -> tuple[Board, TableKey]:
        query = context.query(schema.TableQuery) if context.query_text else _NO_QUERY
        return await self._reads.open(context.principal, context.path[0], context.path[1], query.season, query.region)


def _encode_page(board: Board, page: reads.Page, version: str) -> _EncodedPage:
    etag = f'"{version}"'
    cache = "public" if board.public else "private"
    headers = f"ETag: {etag}\r\nCache-Control: {cache}, no-cache\r\n".encode()
    return _EncodedPage(etag, headers, encode_json(_page(board, page)))


def _page(board: Board, page: reads.Page) -> schema.Page:
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


def _standing(board: Board, standing: PlayerStanding) -> schema.Standing:
    details, gap = standing.details, standing.gap_to_next
    return schema.Standing(
        standing.player,
        standing.key.season,
        standing.key.region or None,
        encode_score(board, standing.score),
        None if details is None else details.entry.rank,
        standing.rank_state,
        None if details is None else details.total,
        None if details is None else details.ties,
        standing.percentile,
        None if gap is None else encode_score(board, gap),
        instant.to_text(standing.reached_at),
    )
