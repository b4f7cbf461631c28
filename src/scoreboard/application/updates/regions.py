"""Regions of updates that name none: the region in the player's profile."""

from collections.abc import Iterable

from scoreboard.application.ports.directory import Directory
from scoreboard.domain.submission import WORLD, Submission


async def resolve_regions(directory: Directory, submissions: Iterable[Submission]) -> None:
    """Set the region of each submission that has none, with one look-up for each app.

    A region that the board does not rank counts as none. Raises Unavailable.
    """
    unresolved = [submission for submission in submissions if submission.region is None]
    for app in {submission.board.app.pk: submission.board.app for submission in unresolved}.values():
        players = {submission.player for submission in unresolved if submission.board.app.pk == app.pk}
        profiles = await directory.find_players(app, players)
        for submission in unresolved:
            if submission.board.app.pk == app.pk:
                profile = profiles.get(submission.player)
                region = None if profile is None else profile.region
                submission.region = region if region in submission.board.regions and region is not None else WORLD
