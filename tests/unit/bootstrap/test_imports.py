"""Tests of the dependencies of the bootstrap modules."""

import grimp
import pytest

MAX_IMPORTS = 30


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("scoreboard", include_external_packages=True)


def test_no_module_has_too_many_imports(graph: grimp.ImportGraph) -> None:
    modules = {"scoreboard.bootstrap"} | graph.find_descendants("scoreboard.bootstrap")
    imported = {module: len(graph.find_modules_directly_imported_by(module)) for module in modules}
    assert imported
    assert {module: count for module, count in imported.items() if count > MAX_IMPORTS} == {}
