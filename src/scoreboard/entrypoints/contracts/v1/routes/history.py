"""History of a board: its ledger is read and imported, its ranking rebuilt."""

from functools import partial

import msgspec

from scoreboard.application.ports.ledger import MIN_EVENT_ID
from scoreboard.application.records.history import History, ImportedEntry
from scoreboard.application.upkeep.rebuild import Rebuild
from scoreboard.domain import codes, event_id, instant
from scoreboard.domain.board import Board
from scoreboard.domain.errors import ScoreboardError
from scoreboard.domain.submission import Outcome, Submission
from scoreboard.entrypoints.contracts.v1 import schema
from scoreboard.entrypoints.contracts.v1.entries import encode_score
from scoreboard.entrypoints.contracts.v1.routes.scores import batch_applied
from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.json_body import decode_json, encode_json, json_response
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

REBUILD_WAIT_S = 30.0

_decoder = msgspec.json.Decoder(schema.LedgerBatch)

_endpoint = partial(endpoint, tag="history", policy="manage_records")


class HistoryRoutes:
    def __init__(self, history: History, rebuild: Rebuild) -> None:
        self._history = history
        self._rebuild = rebuild

    @_endpoint(
        "GET",
        "/v1/apps/{app}/boards/{board}/ledger",
        name="listEntries",
        query=schema.LedgerQuery,
        responses={200: schema.LedgerPage},
        errors=[codes.INVALID_EVENT],
    )
    async def entries(self, context: RequestContext) -> Response:
        """List the applied updates of a board, in order of acceptance.

        For the next page, send `next_after` as `after`. All totals and ranks follow from these entries. The entry of an
        action has its points, but not the action.

        Updates continue while you read. To get the ledger of one moment, stop at the first entry accepted after `at` of
        the first page. `scoreboard export ledger` does all of this.
        """
        board = await self._history.open(context.principal, *context.path)
        query = context.query(schema.LedgerQuery)
        after = MIN_EVENT_ID if query.after is None else event_id.from_text(query.after)
        at = instant.to_text(self._history.instant())
        found = [_entry(board, *entry) for entry in await self._history.entries(board, after, query.limit)]
        next_after = found[-1].event if len(found) == query.limit else None
        return json_response(schema.LedgerPage(found, next_after, at))

    @_endpoint(
        "POST",
        "/v1/apps/{app}/boards/{board}/ledger",
        name="importEntries",
        body=schema.LedgerBatch,
        responses={200: schema.BatchResult},
        errors=[codes.OVERLOADED, codes.SHUTTING_DOWN, codes.RANKING_UNAVAILABLE],
    )
    async def import_entries(self, context: RequestContext) -> Response:
        """Import up to 1,000 entries of another ledger.

        The entries have the format of a ledger page. They are applied in one transaction, with their original times of
        acceptance, which determine seasons and ties.

        An entry is counted once per board, even if it is sent repeatedly or by different clients. The results are in
        the order of the entries. Rate limits and the bounds of a single update do not apply,
        but the bounds of totals do.
        `scoreboard import ledger` sends whole files.
        """
        board = await self._history.open(context.principal, *context.path)
        entries = decode_json(_decoder, await context.body(schema.BATCH_BYTES)).entries
        outcomes = await self._history.import_entries(board, [_imported(entry) for entry in entries])
        results = [_result(board, entry, outcome) for entry, outcome in zip(entries, outcomes, strict=True)]
        applied = sum(isinstance(result, schema.BatchApplied) for result in results)
        return Response(200, encode_json(schema.BatchResult(applied, len(results) - applied, results)))

    @_endpoint(
        "POST",
        "/v1/apps/{app}/boards/{board}/rebuild",
        name="rebuildBoard",
        responses={200: schema.RebuildResult},
        errors=[codes.RANKING_UNAVAILABLE],
    )
    async def rebuild(self, context: RequestContext) -> Response:
        """Rebuild the ranking of a board from its totals, while serving.

        The server deletes the ranking of all seasons, and rebuilds that of the current season. Other seasons are
        rebuilt when they are next read.

        No score is lost, and updates continue. During the rebuild, reads wait or report that the ranking is warming.
        The response reports `warming` if the rebuild takes longer than 30 s.
        """
        board = await self._history.open(context.principal, *context.path)
        tables, standings, done = await self._rebuild(board, REBUILD_WAIT_S)
        return json_response(schema.RebuildResult(tables, standings, "exact" if done else "warming"))


def _entry(board: Board, submission: Submission, outcome: Outcome) -> schema.LedgerEntry:
    previous = outcome.previous_score
    return schema.LedgerEntry(
        event=event_id.to_text(submission.event),
        accepted_at=instant.to_text(submission.accepted_at),
        season=submission.season,
        region=submission.region or None,
        player=submission.player,
        value=encode_score(board, submission.value),
        score=encode_score(board, outcome.score),
        previous_score=None if previous is None else encode_score(board, previous),
        metadata=msgspec.UNSET if submission.metadata is None else msgspec.Raw(submission.metadata),
    )


def _imported(entry: schema.LedgerEntry) -> ImportedEntry:
    metadata = None if entry.metadata is msgspec.UNSET else bytes(entry.metadata)
    return ImportedEntry(entry.event, entry.player, int(entry.value), entry.region, metadata)


def _result(
    board: Board, entry: schema.LedgerEntry, outcome: Outcome | ScoreboardError
) -> schema.BatchApplied | schema.BatchRefused:
    if isinstance(outcome, ScoreboardError) or outcome.status == "refused":
        return schema.BatchRefused(entry.player, outcome.code, outcome.detail)
    return batch_applied(board, outcome)
