"""Many tables at once: as single ones, with their reasons; and tables counted from patients."""

import math

import numpy as np
import pytest

from equipoise.endpoints.binary.comparisons import compare_tables
from equipoise.endpoints.binary.counting import count_tables
from equipoise.endpoints.binary.proportions import odds_ratio, risk_difference, risk_ratio
from equipoise.errors import InputError

SINGLE = {
    "score": lambda table: risk_difference(*table).score_estimate(),
    "wald": lambda table: risk_difference(*table).estimate(),
    "risk-ratio": lambda table: risk_ratio(*table),
    "odds-ratio": lambda table: odds_ratio(*table),
}


def every_table(size1, size2):
    one, two = np.meshgrid(np.arange(size1 + 1), np.arange(size2 + 1), indexing="ij")
    return np.stack([one.ravel(), np.full(one.size, size1), two.ravel(), np.full(one.size, size2)])


@pytest.mark.parametrize("comparison", SINGLE)
def test_many_tables_are_each_as_one_and_fail_for_the_same_reasons(comparison):
    tables = np.concatenate([every_table(4, 5), every_table(1, 3), every_table(1, 1)], axis=1)
    found = compare_tables(*tables, comparison=comparison)
    for at, table in enumerate(tables.T.tolist()):
        reason = None
        try:
            one = SINGLE[comparison](table)
        except InputError as error:
            reason = str(error)
        else:
            assert found.effect[at] == one.effect
            assert found.standard_error[at] == one.standard_error
            assert found.degrees_of_freedom[at] == math.inf
        assert found.failures.get(at) == reason
        assert np.isnan(found.effect[at]) == np.isnan(found.standard_error[at]) == (reason is not None)
    assert 0 < len(found.failures) < tables.shape[1]


@pytest.mark.parametrize("comparison", SINGLE)
def test_closed_forms(comparison):
    a, n, b, m = 12, 30, 7, 35
    p = (a + b) / (n + m)
    effect, variance = {
        "score": (a / n - b / m, p * (1 - p) * (1 / n + 1 / m)),
        "wald": (a / n - b / m, a * (n - a) / n**3 + b * (m - b) / m**3),
        "risk-ratio": (math.log(a * m / (n * b)), 1 / a - 1 / n + 1 / b - 1 / m),
        "odds-ratio": (math.log(a * (m - b) / ((n - a) * b)), 1 / a + 1 / (n - a) + 1 / b + 1 / (m - b)),
    }[comparison]
    found = compare_tables(a, n, b, m, comparison)
    assert found.effect == pytest.approx(effect, rel=1e-13)
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=1e-13)


def test_the_score_estimate_keeps_its_level_where_the_simple_one_does_not():
    """Exact level of two-sided tests at 5% over common risks, by enumeration of all tables."""
    from scipy.stats import binom

    size = 20
    tables = every_table(size, size)
    risks = np.linspace(0.05, 0.95, 60)
    law = binom.pmf(np.arange(size + 1)[:, None], size, risks)
    chance = law[tables[0]] * law[tables[2]]
    found = {}
    for comparison in ("score", "wald"):
        estimates = compare_tables(*tables, comparison=comparison)
        rejects = np.abs(np.nan_to_num(estimates.effect / np.nan_to_num(estimates.standard_error, nan=1.0))) > 1.959964
        found[comparison] = (chance * rejects[:, None]).sum(axis=0)
    assert found["score"].max() < 0.058
    assert found["wald"].max() > 0.07
    assert (found["score"] <= found["wald"] + 1e-12).all()


def test_a_group_without_patients():
    for comparison in SINGLE:
        found = compare_tables([0, 3], [0, 5], [2, 1], [4, 4], comparison)
        assert "at least one patient in each group" in found.failures[0]
        assert 1 not in found.failures
        assert np.isnan(found.effect).tolist() == [True, False]


def test_patients_are_counted():
    generator = np.random.default_rng(4)
    response = generator.integers(0, 2, (30, 40)).astype(float)
    response[generator.random((30, 40)) < 0.2] = np.nan
    arm = generator.integers(-1, 3, (30, 40))
    stratum = generator.integers(-1, 4, (30, 40))
    together, split = count_tables(response, arm, (2, 0)), count_tables(response, arm, (2, 0), stratum)
    assert [part.shape for part in together] == [(30,)] * 4
    assert [part.shape for part in split] == [(30, 4)] * 4
    for trial in range(30):
        for place, chosen in ((0, 2), (2, 0)):
            own = (arm[trial] == chosen) & ~np.isnan(response[trial])
            assert together[place][trial] == np.nansum(response[trial][own])
            assert together[place + 1][trial] == own.sum()
            for level in range(4):
                inside = own & (stratum[trial] == level)
                assert split[place][trial, level] == np.nansum(response[trial][inside])
                assert split[place + 1][trial, level] == inside.sum()
        alone = count_tables(response[trial], arm[trial], (2, 0))
        assert [float(part) for part in alone] == [float(part[trial]) for part in together]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (([0.5, 1.0], [0, 1]), "response"),
        (([0.0, 1.0], [0, 1, 1]), "arm"),
        (([0.0, 1.0], [0.0, 1.0]), "arm"),
        (([0.0, 1.0], [0, 1], (1, 0), [0]), "strata"),
    ],
)
def test_patients_that_cannot_be_counted(arguments, field):
    with pytest.raises(InputError) as caught:
        count_tables(*arguments)
    assert caught.value.field == field


def test_tables_that_cannot_be():
    with pytest.raises(InputError, match="one a table"):
        compare_tables(np.ones((2, 2)), 4, 1, 4)
    with pytest.raises(InputError, match="one of"):
        compare_tables(1, 4, 1, 4, "ratio")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="events1"):
        compare_tables([1, 5], 4, 1, 4)
