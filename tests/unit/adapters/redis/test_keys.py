import pytest

from scoreboard.adapters.redis import keys
from scoreboard.domain.submission import TableKey


@pytest.mark.parametrize(
    ("table", "name"),
    [
        (TableKey(1, "all", ""), "sb:{1:all:}"),
        (TableKey(12, "2026-W47", "eu-west_1"), "sb:{12:2026-W47:eu-west_1}"),
    ],
)
def test_names_identify_one_table(table: TableKey, name: str) -> None:
    assert keys.of(table) == name
    assert keys.changed(table) == f"{name}:changed"
    assert keys.table_of(keys.changed(table)) == table
    assert keys.table_of(name) is None
    assert keys.table_of(f"x{name}:changed") is None


@pytest.mark.parametrize(
    "table", [TableKey(1, "", ""), TableKey(1, "a:b", ""), TableKey(1, "all", "}"), TableKey(-1, "all", "")]
)
def test_a_malformed_table_key_is_refused(table: TableKey) -> None:
    with pytest.raises(ValueError, match="not the key of a table"):
        keys.of(table)
