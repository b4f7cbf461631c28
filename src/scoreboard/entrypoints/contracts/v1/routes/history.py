"""What operators do with the history of a board: read its ledger, take another one over, make its ranking anew."""

import msgspec
from aiohttp import web

from scoreboard.application.ports.ledger import MIN_EVENT_ID
from scoreboard.application.records.history import History, ImportedEntry
from scoreboard.application.upkeep.rebuild import Rebuild
from scoreboard.domain import event_id, instant
from scoreboard.domain.board import Board
from scoreboard.domain.errors import ScoreboardError
from scoreboard.domain.submission import Outcome, Submission
from scoreboard.entrypoints.contracts.v1 import schema
from scoreboard.entrypoints.contracts.v1.entries import score_text
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.json_body import decode_json
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

BATCH_BYTES = 4 * 1024 * 1024
REBUILD_WAIT_S = 30.0

_encode = msgspec.json.Encoder().encode
_batch = msgspec.json.Decoder(schema.LedgerBatch)
_UNCACHED = b"Cache-Control: no-store\r\n"


class HistoryRoutes:
    def __init__(self, history: History, rebuild: Rebuild) -> None:
        self._history = history
        self._rebuild = rebuild

    def routes(self) -> list[Endpoint]:
        board = "/v1/apps/{app}/boards/{board}"
        return [
            Endpoint(
                "GET",
                f"{board}/ledger",
                "listEntries",
                "The applied updates of a board, in order, page by page",
                self.entries,
                "history",
                "manage_records",
                query=schema.LedgerQuery,
                replies={200: schema.LedgerPage},
                errors=("invalid_event",),
            ),
            Endpoint(
                "POST",
                f"{board}/ledger",
                "importEntries",
                "Take up to 1,000 entries of another ledger over, at the instants they were accepted at",
                self.import_entries,
                "history",
                "manage_records",
                body=schema.LedgerBatch,
                replies={200: schema.BatchAnswer},
                errors=("overloaded", "shutting_down", "ranking_unavailable"),
            ),
            Endpoint(
                "POST",
                f"{board}/rebuild",
                "rebuildBoard",
                "Make the ranking of a board anew from its totals, while serving",
                self.rebuild,
                "history",
                "manage_records",
                replies={200: schema.Rebuilt},
                errors=("ranking_unavailable",),
            ),
        ]

    async def entries(self, call: RequestContext) -> web.StreamResponse:
        """Every update that counted, in the order in which they were accepted: go on with `next_after` as `after`.

        It is the truth that totals and ranks follow from. Of an action only its points are told. Updates go on while
        you read; who wants the ledger of one instant stops at the first entry accepted after `at` of the first page.
        `scoreboard export ledger` does all that.

        - **Who**: the app's admin.
        """
        board = await self._history.open(call.principal, *call.path)
        query = call.query(schema.LedgerQuery)
        after = MIN_EVENT_ID if query.after is None else event_id.from_text(query.after)
        at = instant.to_text(self._history.instant())
        found = [_entry(board, *one) for one in await self._history.entries(board, after, query.limit)]
        more = found[-1].event if len(found) == query.limit else None
        return Response(200, _encode(schema.LedgerPage(found, more, at)), _UNCACHED)

    async def import_entries(self, call: RequestContext) -> web.StreamResponse:
        """Entries as another ledger's pages give them, applied in one transaction as if they had been sent here then:
        they belong to the seasons of then, and their ties are those of then.

        An entry counts once for a board, whoever sends it and however often. Each has its own result, in the order
        sent. Rates and the bounds of one update do not hold for it, those of totals do.
        `scoreboard import ledger` sends files.

        - **Who**: the app's admin.
        """
        board = await self._history.open(call.principal, *call.path)
        entries = decode_json(_batch, await call.body(BATCH_BYTES)).entries
        outcomes = await self._history.import_entries(board, [_past(entry) for entry in entries])
        results = [_result(board, entry, outcome) for entry, outcome in zip(entries, outcomes, strict=True)]
        applied = sum(isinstance(result, schema.BatchApplied) for result in results)
        return Response(200, _encode(schema.BatchAnswer(applied, len(results) - applied, results)))

    async def rebuild(self, call: RequestContext) -> web.StreamResponse:
        """Throws the ranking away, with all seasons, and makes that of the current season again; others follow when
        they are asked for.

        Nothing is lost, and updates go on. Meanwhile a read waits, or says that the ranking is warming, and so does the
        answer when it takes longer than 30 s.

        - **Who**: the app's admin.
        """
        made = await self._rebuild(await self._history.open(call.principal, *call.path), REBUILD_WAIT_S)
        told = schema.Rebuilt(made.tables, made.standings, "exact" if made.done else "warming")
        return Response(200, _encode(told), _UNCACHED)


def _entry(board: Board, submission: Submission, outcome: Outcome) -> schema.LedgerEntry:
    previous = outcome.previous_score
    return schema.LedgerEntry(
        event=event_id.to_text(submission.event),
        accepted_at=instant.to_text(submission.accepted_at),
        season=submission.season,
        region=submission.region or None,
        player=submission.player,
        value=score_text(board, submission.value),
        score=score_text(board, outcome.score),
        previous_score=None if previous is None else score_text(board, previous),
        metadata=msgspec.UNSET if submission.metadata is None else msgspec.Raw(submission.metadata),
    )


def _past(entry: schema.LedgerEntry) -> ImportedEntry:
    metadata = None if entry.metadata is msgspec.UNSET else bytes(entry.metadata)
    return ImportedEntry(entry.event, entry.player, int(entry.value), entry.region, metadata)


def _result(
    board: Board, entry: schema.LedgerEntry, outcome: Outcome | ScoreboardError
) -> schema.BatchApplied | schema.BatchRefused:
    if isinstance(outcome, ScoreboardError) or outcome.status == "refused":
        return schema.BatchRefused(entry.player, outcome.code, outcome.detail)
    previous = outcome.previous_score
    return schema.BatchApplied(
        outcome.player,
        event_id.to_text(outcome.event),
        score_text(board, outcome.score),
        None if previous is None else score_text(board, previous),
        outcome.changed,
        outcome.replayed,
    )
