"""The table of results."""

from chaos.rounds import Outcome

HEAD = ("victim", "rounds", "in flight", "acknowledged", "lost", "doubled", "without outcome", "recovered", "worst")


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as a table in Markdown, followed by the faults.

    `in flight` is the smallest number at any kill. The times run from a kill until updates of both kinds succeed at
    every `api` with exact ranks and every screen shows them.
    """
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(_cells(outcome)) + " |" for outcome in outcomes]
    for outcome in outcomes:
        lines += [f"{outcome.victim}: {name}: {found}" for name, found in outcome.verdict.faults.items()]
    return "\n".join(lines)


def _cells(outcome: Outcome) -> list[str]:
    verdict = outcome.verdict
    counts = (min(outcome.in_flight), verdict.acknowledged, verdict.lost, verdict.doubled, verdict.without)
    return [
        outcome.victim,
        str(len(outcome.recovered)),
        *(f"{count:,}" for count in counts),
        *("never" if seconds is None else f"{seconds:.1f} s" for seconds in (outcome.median_s, outcome.worst_s)),
    ]
