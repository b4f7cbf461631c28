"""A ledger imported into its own board: applied entries are not counted again."""

from harness.service import Running
from tests.http.test_history import check_consistent, import_entries, ledger, past_entry, tops


async def test_existing_entries_are_not_counted_again(service: Running) -> None:
    board = await service.board(regions=["eu"])
    for n in range(20):
        update = {"player": f"p{n % 7}", "increment": n, "region": "eu" if n % 2 else None}
        (await service.operator.post(f"{board}/scores", update)).ok()
    entries, before = await ledger(service.operator, board), await tops(service.operator, board, "&region=eu")
    results = await import_entries(service.operator, board, *entries)
    assert all(entry["replayed"] for entry in results)
    assert [(entry["event"], entry["score"]) for entry in results] == [
        (entry["event"], entry["score"]) for entry in entries
    ]
    assert await ledger(service.operator, board) == entries
    assert await tops(service.operator, board, "&region=eu") == before
    await check_consistent(service, "game", "main")


async def test_missing_entries_are_imported(service: Running) -> None:
    board = await service.board()
    for n in range(3):
        (await service.operator.post(f"{board}/scores", {"player": f"p{n}", "increment": n})).ok()
    entries = await ledger(service.operator, board)
    results = await import_entries(service.operator, board, entries[0], past_entry(1), *entries[1:])
    assert [entry["replayed"] for entry in results] == [True, False, True, True]
    assert len(await ledger(service.operator, board)) == 4
    await check_consistent(service, "game", "main")
    (await service.operator.delete(board)).ok(204)
    board = await service.board()
    assert not any(entry["replayed"] for entry in await import_entries(service.operator, board, *entries)), (
        "the board is new"
    )
    await check_consistent(service, "game", "main")
