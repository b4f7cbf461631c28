"""How the modules of the bootstrap depend on others."""

import grimp
import pytest

MOST = 30


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("scoreboard", include_external_packages=True)


def test_no_module_imports_many_others(graph: grimp.ImportGraph) -> None:
    modules = {"scoreboard.bootstrap"} | graph.find_descendants("scoreboard.bootstrap")
    imported = {module: len(graph.find_modules_directly_imported_by(module)) for module in modules}
    assert imported
    assert {module: count for module, count in imported.items() if count > MOST} == {}
