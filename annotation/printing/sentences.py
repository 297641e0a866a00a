"""The sentences that answer a study's question."""

from annotation.printing.numbers import count, percent, percent_interval
from annotation.reports.winrates import FEW_PROMPTS, SEQUENCE, Headline


def headline(line: Headline) -> str:
    """The sentence that answers the study's question, with the interval for one look and the watched one."""
    intervals = "; watched ".join(filter(None, (percent_interval(line.rate), percent_interval(line.watched))))
    judged = count(line.judgments, "judgment")
    rate = f"{percent(line.rate.value)}{f' ({intervals})' if intervals else ''} of {judged}"
    if line.decided:
        return f"{line.winner} wins {rate}."
    if line.rate.value == 0.5:
        return f"Neither is ahead: {line.winner} and {line.loser} share {judged} evenly."
    if line.prompts < FEW_PROMPTS:
        return f"Too early to say: {line.winner} wins {rate} on only {count(line.prompts, 'prompt')}."
    if line.decides == SEQUENCE:
        return f"Neither is ahead for sure: {line.winner} wins {rate}. {_while_watched(line)}"
    if not intervals:
        return f"{line.winner} wins {rate}. {line.rate.reason}"
    return f"Neither is ahead for sure: {line.winner} wins {rate}."


def _while_watched(line: Headline) -> str:
    """Why the watched interval decides, and what it lacks where there is none."""
    why = "Not all judgments are in, so the watched interval decides."
    return why if line.watched.low is not None else f"{why} {line.watched.reason}"
