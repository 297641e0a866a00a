"""How long generating will take, and what it costs, from what is known of the arms."""

from dataclasses import dataclass

from django.db.models import Avg, Count

from annotation.models import Arm, Event, Response, Study

LOOKED_AT = 500
"""Answers of an arm that its means are taken from, the newest."""

ANSWERS, TRIAL, LIMIT = "its answers so far", "its trial answer", "its limit of tokens"
"""Where an estimate comes from, the best first. The last bounds the tokens and tells no time."""


@dataclass(frozen=True)
class ArmEstimate:
    """What an arm still has to answer. `seconds` is None where nothing tells how fast it is."""

    arm: str
    missing: int
    tokens: int
    seconds: float | None
    source: str


@dataclass(frozen=True)
class Estimate:
    """All arms together; `seconds` is for one worker, None where an arm's speed is not known."""

    arms: tuple[ArmEstimate, ...]
    price: float | None

    @property
    def missing(self) -> int:
        return sum(arm.missing for arm in self.arms)

    @property
    def tokens(self) -> int:
        return sum(arm.tokens for arm in self.arms)

    @property
    def seconds(self) -> float | None:
        needed = [arm.seconds for arm in self.arms if arm.missing]
        return None if None in needed else sum(needed)

    @property
    def cost(self) -> float | None:
        """By the price of a million tokens that the models write."""
        return None if self.price is None else self.tokens * self.price / 1_000_000


def generation_estimate(study: Study, samples: int = 1, price: float | None = None) -> Estimate:
    """What a run of so many samples would still generate. Three queries, and two for each of its arms."""
    prompts = study.prompts.count()
    trials = {event.detail["arm"]: event.detail for event in _trials(study)}
    arms = [arm for arm in study.arms.all() if arm.generates]
    return Estimate(
        tuple(_estimate(arm, prompts * samples, samples, trials.get(arm.pk)) for arm in arms), price
    )


def _trials(study: Study) -> list[Event]:
    """The last trial answers, the newest last."""
    return list(reversed(study.events.filter(verb="try_arm")[:50]))


def _estimate(arm: Arm, wanted: int, samples: int, trial: dict | None) -> ArmEstimate:
    made = Response.objects.current().filter(arm=arm)
    missing = max(0, wanted - made.filter(sample__lt=samples).count())
    last = made.filter(output_tokens__isnull=False).order_by("-pk").values("pk")[:LOOKED_AT]
    told = Response.objects.filter(pk__in=last).aggregate(
        n=Count("pk"), tokens=Avg("output_tokens"), s=Avg("seconds")
    )
    if told["n"]:
        return _of(arm, missing, told["tokens"], told["s"], ANSWERS)
    as_now = trial is not None and trial.get("settings", arm.settings_sha256) == arm.settings_sha256
    if as_now and trial.get("output_tokens"):
        return _of(arm, missing, trial["output_tokens"], trial.get("seconds"), TRIAL)
    return _of(arm, missing, arm.sampling.get("max_new_tokens", 256), None, LIMIT)


def _of(arm: Arm, missing: int, tokens: float, seconds: float | None, source: str) -> ArmEstimate:
    needed = None if seconds is None else missing * seconds
    return ArmEstimate(arm.name, missing, round(missing * tokens), needed, source)
