"""Regions of updates that do not name one: the region of the player's profile, where the board has it."""

from collections.abc import Iterable

from scoreboard.application.ports.directory import Directory
from scoreboard.domain.submission import WORLD, Submission


async def resolve_regions(directory: Directory, submissions: Iterable[Submission]) -> None:
    """Set the region of each submission that has none, with one look-up for each app. Raise Unavailable."""
    open_ = [submission for submission in submissions if submission.region is None]
    for app in {submission.board.app.pk: submission.board.app for submission in open_}.values():
        players = {submission.player for submission in open_ if submission.board.app.pk == app.pk}
        profiles = await directory.find_players(app, players)
        for submission in open_:
            if submission.board.app.pk == app.pk:
                profile = profiles.get(submission.player)
                region = None if profile is None else profile.region
                submission.region = region if region in submission.board.regions and region is not None else WORLD
