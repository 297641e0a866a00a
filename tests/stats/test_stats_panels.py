"""When a panel's answer is settled: against simulation, exact fractions and certainty."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from annotation.stats.errors import BadInput
from annotation.stats.panels import PanelPrior, chance_settled, fit_prior, is_settled

pytestmark = pytest.mark.once
EVEN = PanelPrior((0.5, 0.5), 0.5)


def by_urn(counts, remaining, shares, concentration) -> Fraction:
    """The same chance by drawing every order of further answers from a Pólya urn, in exact fractions."""
    leader = max(range(len(counts)), key=counts.__getitem__)
    total = Fraction(0)
    for order in product(range(len(counts)), repeat=remaining):
        now, chance = list(counts), Fraction(1)
        for answer in order:
            weight = concentration * shares[answer] + now[answer]
            chance *= weight / (concentration + sum(now))
            now[answer] += 1
        if all(now[leader] > n for i, n in enumerate(now) if i != leader):
            total += chance
    return total


@pytest.mark.parametrize(
    ("counts", "remaining"), [([2, 0], 3), ([1, 0], 4), ([2, 1], 2), ([2, 1, 0], 3), ([1, 0, 0, 0], 2)]
)
def test_the_chance_is_that_of_drawing_the_rest_from_an_urn(counts, remaining):
    share, concentration = Fraction(1, len(counts)), Fraction(3, 4)
    expected = by_urn(counts, remaining, [share] * len(counts), concentration)
    prior = PanelPrior((float(share),) * len(counts), float(concentration))
    assert chance_settled(counts, remaining, prior) == pytest.approx(float(expected), abs=1e-12)


def test_a_lead_that_the_rest_cannot_turn_is_certain():
    assert chance_settled([3, 0], 2, EVEN) == pytest.approx(1)
    assert chance_settled([2, 1], 0, EVEN) == pytest.approx(1)


def test_a_tie_and_nothing_at_all_are_not_settled():
    assert chance_settled([1, 1], 3, EVEN) == chance_settled([0, 0], 5, EVEN) == 0
    assert not is_settled([2, 2], 4, EVEN, 0.5)


def test_raters_who_agree_more_settle_sooner():
    chances = [chance_settled([2, 0], 3, PanelPrior((0.5, 0.5), c)) for c in (0.1, 0.5, 2, 10)]
    assert chances == sorted(chances, reverse=True)


def test_the_prior_is_found_again_from_what_it_made():
    dice = np.random.default_rng(7)
    shares, concentration = np.array([0.6, 0.3, 0.1]), 0.8
    own = dice.dirichlet(concentration * shares, size=20_000)
    found = fit_prior([dice.multinomial(4, p) for p in own], 3)
    assert found is not None
    assert found.shares == pytest.approx(tuple(shares), abs=0.02)
    assert found.concentration == pytest.approx(concentration, rel=0.06)


def test_nothing_is_learned_before_two_raters_met():
    assert fit_prior([[1, 0], [0, 1]], 2) is None
    assert fit_prior([], 2) is None


@pytest.mark.parametrize("counts", [[[3, 0], [0, 3]], [[2, 1], [1, 2], [2, 1], [1, 2]]])
def test_full_agreement_and_none_stay_usable(counts):
    found = fit_prior(counts, 2)
    assert found is not None and 0 < found.concentration <= 20


def test_a_prior_that_is_none_is_refused():
    for shares, concentration in (((1.0, 0.0), 1.0), ((0.5, 0.6), 1.0), ((0.5, 0.5), 0.0)):
        with pytest.raises(BadInput):
            PanelPrior(shares, concentration)
    with pytest.raises(BadInput):
        chance_settled([1, 0, 0], 1, EVEN)
