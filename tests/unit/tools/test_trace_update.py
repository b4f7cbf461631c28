from tools.trace_update import by_layer, trace_update

# Files and functions that one update passes through, at the most. A change that adds a hop shows here.
LIMITS = {
    "entrypoints": (14, 34),
    "adapters": (12, 55),  # one of them is the SQL layer that two databases share
    "application": (11, 38),
    "domain": (7, 11),
    "bootstrap": (1, 1),
}


async def test_an_update_passes_through_at_most_the_allowed_files_and_functions() -> None:
    layers = by_layer(await trace_update())
    assert layers.keys() == LIMITS.keys()
    over = {
        layer: (counts, LIMITS[layer])
        for layer, counts in layers.items()
        if counts[0] > LIMITS[layer][0] or counts[1] > LIMITS[layer][1]
    }
    assert not over, "run `python -m tools.trace_update` to see what was added"
