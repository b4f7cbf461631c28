"""A ledger that is brought back to the board it comes from: what counted there does not count again."""

from harness.service import Running
from tests.http.test_history import exact, ledger, past, take_over, tops


async def test_entries_of_the_board_itself_do_not_count_again(service: Running) -> None:
    board = await service.board(regions=["eu"])
    for n in range(20):
        update = {"player": f"p{n % 7}", "increment": n, "region": "eu" if n % 2 else None}
        (await service.operator.post(f"{board}/scores", update)).ok()
    entries, before = await ledger(service.operator, board), await tops(service.operator, board, "&region=eu")
    results = await take_over(service.operator, board, *entries)
    assert all(one["replayed"] for one in results)
    assert [(one["event"], one["score"]) for one in results] == [(one["event"], one["score"]) for one in entries]
    assert await ledger(service.operator, board) == entries
    assert await tops(service.operator, board, "&region=eu") == before
    await exact(service, "game", "main")


async def test_between_them_what_the_board_lacks_is_taken_over(service: Running) -> None:
    board = await service.board()
    for n in range(3):
        (await service.operator.post(f"{board}/scores", {"player": f"p{n}", "increment": n})).ok()
    entries = await ledger(service.operator, board)
    results = await take_over(service.operator, board, entries[0], past(1), *entries[1:])
    assert [one["replayed"] for one in results] == [True, False, True, True]
    assert len(await ledger(service.operator, board)) == 4
    await exact(service, "game", "main")
    (await service.operator.delete(board)).ok(204)
    board = await service.board()
    assert not any(one["replayed"] for one in await take_over(service.operator, board, *entries)), "made again"
    await exact(service, "game", "main")
