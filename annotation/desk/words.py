"""Numbers as people read them on the desk."""

from annotation.reports.grades import GradingProgress
from annotation.reports.planning import WIDTH, Plan
from annotation.reports.progress import RunProgress
from annotation.reports.winrates import FEW_PROMPTS, SEQUENCE, Headline
from annotation.stats.estimate import Estimate

MINUS, DASH, SPACE = "−", "–", "\u00a0"


def count(number: int, noun: str, plural: str = "") -> str:
    """1 judgment, 1,204 judgments."""
    return f"{number:,}{SPACE}{noun if number == 1 else plural or noun + 's'}"


def percent(share: float | None) -> str:
    """62 %, or a dash where there is none."""
    return DASH if share is None else f"{100 * share:.0f}{SPACE}%"


def decimal(value: float | None, places: int = 2) -> str:
    """−0.12, or a dash where there is none."""
    if value is None:
        return DASH
    text = f"{abs(value):.{places}f}"
    return MINUS + text if value < 0 and float(text) else text


def percent_interval(estimate: Estimate) -> str:
    """57–67, in per cent, or "" without an interval."""
    if estimate.low is None:
        return ""
    return f"{100 * estimate.low:.0f}{DASH}{100 * estimate.high:.0f}"


def decimal_interval(estimate: Estimate) -> str:
    """0.41 to 0.58, or "" without an interval; “to”, because a bound may be negative."""
    if estimate.low is None:
        return ""
    return f"{decimal(estimate.low)} to {decimal(estimate.high)}"


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


def plan_goal(plan: Plan) -> str:
    """± 5 points, or 60 % against 50 %."""
    if plan.goal == WIDTH:
        return f"±{SPACE}{_points(plan.target)}"
    return f"{_percent(plan.target)} against 50{SPACE}%"


def plan_sentence(plan: Plan) -> str:
    """What the goal takes."""
    size = plan.size
    asked = (
        f"To know the win rate to {plan_goal(plan)}"
        if plan.goal == WIDTH
        else f"To tell a win rate of {_percent(plan.target)} from 50{SPACE}%"
    )
    return (
        f"{asked} takes {count(size.prompts, 'prompt')}: {count(size.pairs, 'pair')} and "
        f"{count(size.judgments, 'judgment')}, by at least {count(size.raters, 'rater')}."
    )


def plan_now(plan: Plan, prompts: int) -> str:
    """What the prompts that are there give, or ""."""
    if plan.here is None:
        return ""
    return f"The study’s {count(prompts, 'prompt')} would give ±{SPACE}{_points(round(plan.here, 3))}."


def _points(share: float) -> str:
    return f"{100 * share:.3g}{SPACE}points"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}{SPACE}%"


def duration(seconds: float) -> str:
    """About how long: 40 s, 3 min, 2 h 5 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))}{SPACE}s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes}{SPACE}min"
    return f"{minutes // 60}{SPACE}h {minutes % 60}{SPACE}min"


def run_sentence(progress: RunProgress, lacks_worker: bool = False) -> str:
    """Where a run stands, in one sentence."""
    made = f"{progress.done:,} of {count(progress.total, 'response')}"
    if progress.state == "done" and not progress.total:
        return "Finished: the answers that were there were made into pairs."
    if progress.state == "done":
        return f"Finished: {made}{_failures(progress)}."
    if progress.state == "failed":
        return f"Stopped with {made} made and kept{_failures(progress)}."
    if progress.state == "paused":
        return f"Paused with {made} made and kept{_failures(progress)}."
    if progress.state == "cancelled":
        kept = f"Cancelled with {made} made and kept{_failures(progress)}."
        return f"{kept} A new run makes the rest, and the pairs."
    if progress.state == "generated":
        return f"Making pairs: {made} are there{_failures(progress)}."
    if lacks_worker:
        return f"Waiting for a worker: {made} so far{_failures(progress)}."
    if progress.seconds_left is None:
        return f"Generating: {made} so far{_failures(progress)}."
    return f"Generating: {made}, about {duration(progress.seconds_left)} left{_failures(progress)}."


def _failures(progress: RunProgress) -> str:
    return f", {progress.failed:,} could not be answered" if progress.failed else ""


def grading_sentence(progress: GradingProgress, lacks_worker: bool = False) -> str:
    """Where a grading stands, in one sentence."""
    made = f"{progress.done:,} of {count(progress.total, 'grade')}"
    failed = f", {progress.failed:,} brought no verdict" if progress.failed else ""
    if progress.state == "done" and not progress.done:
        return f"Finished without a verdict: none of {count(progress.total, 'grade')} could be made."
    if progress.state == "done":
        return f"Finished: {made}{failed}."
    if progress.state == "failed":
        return f"Stopped with {made} made and kept{failed}."
    if progress.state == "paused":
        return f"Paused with {made} made and kept{failed}."
    if lacks_worker:
        return f"Waiting for a worker: {made} so far{failed}."
    return f"Grading: {made} so far{failed}."
