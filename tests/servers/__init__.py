"""Real servers of other makers, started by the tests on free ports and in folders of their own, stopped by pid."""
