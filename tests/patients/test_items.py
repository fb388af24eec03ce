"""Items add up to the drawn total and follow the graded response model given it."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import chi2, norm

import equipoise as eq
from equipoise.patients import Draws, ItemLaw, Truth, draw_items, draw_scores, draw_subscales
from equipoise.patients.graded import TRAITS, WEIGHTS, category_probabilities, cluster_means, sums_from, trait_weights
from equipoise.patients.item_kernels import persistent_uniform
from equipoise.protocol import RatingScale, scales
from equipoise.protocol.items import Items
from equipoise.protocol.scales import Subscale
from protocols import edited

PROTOCOL = edited()
TRUTH = Truth.of(PROTOCOL, "later-trials")
CAPS = scales()["CAPS-5"]
SMALL = RatingScale(
    "SMALL",
    "Three items of 1 to 3",
    "patient",
    3,
    3.0,
    9.0,
    "lower",
    {"x": Subscale("X", (2,)), "y": Subscale("Y", (1, 3))},
    "made up",
)
SLOPES, PLACES = (0.8, 1.5, 2.5), ((-1.0, 0.2), (-0.3, 1.4), (0.1, 0.6))
UNEVEN = Items(discrimination=SLOPES, difficulties=PLACES, persistence=0.0)


def truth_with(settings):
    return replace(TRUTH, scenario=TRUTH.scenario.model_copy(update={"items": settings}))


def law_of(settings, scale=CAPS):
    return ItemLaw.of(scale, truth_with(settings), PROTOCOL.arm_names)


def chance_given_trait(items, trait):
    """Of a vector of scores from 0, straight from Samejima's definition."""
    found = 1.0
    for score, slope, places in zip(items, SLOPES, PLACES, strict=True):
        at_least = [1.0, *(expit(slope * (trait - place)) for place in places), 0.0]
        found *= at_least[score] - at_least[score + 1]
    return found


def chances_given_total(total):
    """Of every vector of three scores with that sum, by integration over the normal trait."""
    vectors = [items for items in product(range(3), repeat=3) if sum(items) == total]
    joint = [
        quad(lambda trait, items=items: norm.pdf(trait) * chance_given_trait(items, trait), -12, 12, epsabs=1e-13)[0]
        for items in vectors
    ]
    return dict(zip(vectors, np.array(joint) / sum(joint), strict=True))


@pytest.mark.parametrize("total", range(7))
def test_tables_give_the_conditional_law_of_every_vector(total):
    law = law_of(UNEVEN, SMALL)
    traits = np.diff(law.trait_below[0, total], prepend=0.0)
    for items, chance in chances_given_total(total).items():
        given, left = np.ones(len(traits)), total
        for item, score in enumerate(items[:-1]):
            sums = law.sums[0, :, item : item + 2]
            given *= law.categories[0, :, item, score] * sums[:, 1, left - score] / sums[:, 0, left]
            left -= score
        assert traits @ given == pytest.approx(chance, abs=2e-12)


@pytest.mark.parametrize("total", range(3, 10))
@pytest.mark.parametrize("persistence", [0.0, 0.7])
def test_drawn_vectors_follow_the_conditional_law(total, persistence):
    number = 30_000
    law = law_of(UNEVEN.model_copy(update={"persistence": persistence}), SMALL)
    arm, scores = np.zeros((1, number), dtype=np.intp), np.full((1, number, 1), float(total))
    items = draw_items(Draws.of(total, "law", [0]), law, arm, scores)[0, :, 0]
    assert (items.sum(axis=1) == total).all()
    expected = chances_given_total(total - 3)
    observed = {key: (items == np.array(key) + 1).all(axis=1).sum() for key in expected}
    assert sum(observed.values()) == number
    statistic = sum((observed[key] - number * chance) ** 2 / (number * chance) for key, chance in expected.items())
    assert statistic <= chi2.isf(1e-4, max(len(expected) - 1, 1))


def test_sums_are_those_of_all_vectors():
    categories = category_probabilities(TRAITS[:, None], np.array(SLOPES), np.array(PLACES))
    np.testing.assert_allclose(categories.sum(axis=2), 1, rtol=1e-14)
    sums = sums_from(categories)
    for at in (0, 40, 96):
        for total in range(7):
            whole = sum(
                chance_given_trait(items, TRAITS[at]) for items in product(range(3), repeat=3) if sum(items) == total
            )
            assert sums[at, 0, total] == pytest.approx(whole, rel=1e-9, abs=1e-16)


def test_means_of_clusters_are_those_of_all_vectors():
    categories = category_probabilities(TRAITS[:, None], np.array(SLOPES), np.array(PLACES))
    means = cluster_means(categories, np.array([1, 0, 1]))
    np.testing.assert_allclose(means.sum(axis=1), np.arange(7), rtol=1e-13)
    for total in range(7):
        exact = sum(items[1] * chance for items, chance in chances_given_total(total).items())
        assert means[total, 0] == pytest.approx(exact, abs=2e-12)


def test_with_equal_slopes_and_two_scores_the_total_says_all():
    """Rasch 1960: given the total the items do not depend on the trait."""
    places = np.array([-1.0, 0.0, 0.3, 2.0])
    sums = sums_from(category_probabilities(TRAITS[:, None], np.full(4, 1.3), places[:, None]))
    first = sums_from(category_probabilities(TRAITS[:, None], np.full(3, 1.3), places[1:, None]))[:, 0]
    zero = category_probabilities(TRAITS[:, None], np.full(4, 1.3), places[:, None])[:, 0, 0]
    given = zero[:, None] * first / sums[:, 0, :4]
    np.testing.assert_allclose(given, np.broadcast_to(given[48], given.shape), rtol=1e-10)


def test_the_trait_given_a_total_has_the_law_of_bayes():
    sums = sums_from(
        category_probabilities(TRAITS[:, None], np.full(20, 1.12), np.tile([-1.5, -0.5, 0.5, 1.5], (20, 1)))
    )
    weights = trait_weights(sums)
    np.testing.assert_allclose((WEIGHTS @ sums[:, 0]) @ weights, WEIGHTS, rtol=1e-10)
    assert (np.diff(weights @ TRAITS) > 0).all()


def test_the_assumed_items_have_the_consistency_of_caps5():
    """Cronbach's alpha 0.88 (Weathers et al. 2018, Psychological Assessment 30:383)."""
    settings = Items()
    categories = category_probabilities(
        TRAITS[:, None], np.array(settings.discrimination), np.linspace(-1.5, 1.5, 4)[None]
    )[:, 0]
    first, second = categories @ np.arange(5), categories @ np.arange(5) ** 2
    variance = WEIGHTS @ second - (WEIGHTS @ first) ** 2
    covariance = WEIGHTS @ first**2 - (WEIGHTS @ first) ** 2
    alpha = 20 / 19 * (1 - 20 * variance / (20 * variance + 380 * covariance))
    assert alpha == pytest.approx(0.88, abs=0.001)


def cohort(trials=40, patients=60, seed=3):
    draws = Draws.of(seed, "items", np.arange(trials))
    arm = np.tile(np.arange(patients) % 2, (trials, 1))
    scores = draw_scores(draws, arm, TRUTH.laws)
    missing = np.random.default_rng(seed).random(scores.shape) < 0.15
    return draws, arm, np.where(missing, np.nan, scores)


def test_items_add_up_to_totals_and_clusters():
    draws, arm, scores = cohort()
    scores[0, :3, 0] = [0, 80, 79]
    truth = truth_with(Items())
    items = draw_items(draws, ItemLaw.of(CAPS, truth, PROTOCOL.arm_names), arm, scores)
    assert items.shape == (*scores.shape, 20)
    np.testing.assert_array_equal(items.sum(axis=3), scores)
    seen = items[~np.isnan(items)]
    assert set(np.unique(seen)) == {0, 1, 2, 3, 4}
    parts = draw_subscales(draws, PROTOCOL, truth, arm, scores)
    for name, part in CAPS.subscales.items():
        np.testing.assert_array_equal(parts[name], items[..., np.array(part.items) - 1].sum(axis=3))


def test_an_item_depends_on_trial_patient_and_visit_only():
    draws, arm, scores = cohort(5)
    law = law_of(Items())
    many = draw_items(draws, law, arm, scores)
    alone = draw_items(Draws.of(3, "items", [4]), law, arm[4:, :9], scores[4:, :9])
    np.testing.assert_array_equal(alone[0], many[4, :9])


def test_patients_keep_their_profile():
    number = 40_000
    arm, scores = np.zeros((1, number), dtype=np.intp), np.full((1, number, 3), 30.0)
    between = {}
    for persistence in (0.0, 0.5, 1.0):
        items = draw_items(Draws.of(1, "p", [0]), law_of(Items(persistence=persistence)), arm, scores)[0]
        between[persistence] = np.mean([np.corrcoef(items[:, 0, at], items[:, 2, at])[0, 1] for at in range(20)])
        np.testing.assert_allclose(items.mean(axis=(0, 1)), 1.5, atol=0.03)
        within = np.corrcoef(items[:, 1].T)[np.triu_indices(20, 1)]
        assert within.mean() == pytest.approx(-1 / 19, abs=0.002)
    assert abs(between[0.0]) < 0.005
    assert 0.3 < between[0.5] < 0.5
    assert between[1.0] > 0.8


def test_persistent_numbers_are_uniform_and_correlated():
    draws = Draws.of(1, "u", [0])
    uniform = draws.normal("items", 50_000, 2, 1)
    normal, profile = uniform.copy(), draws.normal("profile", 50_000, 1)
    persistent_uniform(uniform, profile, 0.36)
    np.testing.assert_allclose(norm.ppf(uniform), 0.6 * profile[:, :, None] + 0.8 * normal, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.quantile(uniform, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.006)


def expected_means(law, arm, visit):
    """Exact mean of each cluster in an arm at a visit."""
    means = cluster_means(law.categories[law.which[arm, visit]], law.cluster)
    return TRUTH.arms[arm].scores[visit].probabilities @ means


def test_an_arm_may_act_on_one_cluster_more():
    plain, tilted = law_of(Items()), law_of(Items(cluster_effects={"ketamine": {"C": 1.5, "D": 0.5}}))
    widths = np.array([5, 2, 7, 6]) / 20
    factors = np.array([1, 1.5, 0.5, 1])
    for visit in range(4):
        np.testing.assert_allclose(expected_means(tilted, 0, visit), expected_means(plain, 0, visit), rtol=1e-13)
        before, after = expected_means(plain, 1, 0), expected_means(plain, 1, visit)
        change = before.sum() - after.sum()
        # alike items share a change in proportion to their number
        shares = factors * widths / (factors @ widths)
        moved = expected_means(tilted, 1, 0) - expected_means(tilted, 1, visit)
        np.testing.assert_allclose(moved, before - after + change * (shares - widths), atol=1e-7)
        assert moved.sum() == pytest.approx(change, abs=1e-10)
    np.testing.assert_allclose(moved / change, shares, atol=1e-7)


def test_drawn_clusters_have_the_means_of_the_arms_effect():
    settings = Items(cluster_effects={"ketamine": {"C": 1.8}})
    truth = truth_with(settings)
    draws = Draws.of(9, "effect", np.arange(400))
    arm = np.tile(np.arange(60) % 2, (400, 1))
    scores = draw_scores(draws, arm, truth.laws)
    parts = draw_subscales(draws, PROTOCOL, truth, arm, scores)
    np.testing.assert_array_equal(sum(parts.values()), scores)
    law = ItemLaw.of(CAPS, truth, PROTOCOL.arm_names)
    for which in (0, 1):
        for visit in (0, 3):
            exact = expected_means(law, which, visit)
            for at, values in enumerate(parts.values()):
                found = values[arm == which][:, visit]
                assert abs(found.mean() - exact[at]) < 4.5 * found.std() / np.sqrt(found.size)


@pytest.mark.parametrize("settings", [Items(cluster_effects={"ketamine": dict.fromkeys("BCDE", 2.0)}), Items()])
def test_factors_that_are_alike_change_nothing(settings):
    law = law_of(settings)
    assert len(law.sums) == 1
    assert not law.which.any()


@pytest.mark.parametrize(
    ("settings", "scale", "message"),
    [
        (Items(), "HAM-D-17", r"items is 'HAM-D-17'; expected a scale whose items all have the same points"),
        (Items(discrimination=(1.0, 2.0)), "CAPS-5", r"items\.discrimination .* expected one number, or 20"),
        (Items(difficulties=((0.0, 1.0, 2.0, 3.0),) * 3), "CAPS-5", r"items\.difficulties is '3 rows'"),
        (Items(difficulties=(0.0, 1.0, 2.0)), "CAPS-5", "expected 4 rising numbers"),
        (Items(difficulties=(0.0, 1.0, 1.0, 2.0)), "CAPS-5", "expected 4 rising numbers"),
        (Items(discrimination=20.0, difficulties=(16.0, 17.0, 18.0, 19.0)), "CAPS-5", "add up to every total"),
        (Items(cluster_effects={"placebo": {"B": 2.0}}), "CAPS-5", "expected an arm: midazolam, ketamine"),
        (Items(cluster_effects={"ketamine": {"F": 2.0}}), "CAPS-5", "expected a cluster: B, C, D, E"),
        (Items(cluster_effects={"ketamine": {"B": 2.0}}), "MADRS", "whose clusters hold each item once"),
        (Items(cluster_effects={"ketamine": {"C": 1000.0}}), "CAPS-5", "no cluster has to change by more points"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, scale, message):
    with pytest.raises(eq.InputError, match=message):
        law_of(settings, scales()[scale])


def test_a_scale_without_clusters_has_items_but_no_sums():
    from equipoise.patients.items import draw_item_sums

    law = law_of(Items(), scales()["MADRS"])
    draws, arm, _ = cohort(2)
    scores = np.full((*arm.shape, 2), 31.0)
    assert (draw_items(draws, law, arm, scores).sum(axis=3) == 31).all()
    with pytest.raises(eq.InputError, match="clusters hold each item once"):
        draw_item_sums(draws, law, arm, scores)


def test_a_trial_of_many_has_the_clusters_it_has_alone():
    from equipoise.simulation import draw_cohort, virtual_trial

    table = edited(
        endpoints=[{"name": "clusters", "type": "clusters", "role": "primary", "visit": "week2"}]
    ).model_dump()
    table["scenarios"]["later-trials"]["items"] = {"cluster_effects": {"ketamine": {"C": 1.5}}}
    protocol = type(PROTOCOL).model_validate(table)
    truth = Truth.of(protocol, "later-trials")
    many = draw_cohort(protocol, truth, Draws.of(1, "t", np.arange(4)), 30)
    alone = virtual_trial(protocol, truth, Draws.of(1, "t", [2]), 30)
    for name, values in alone.subscales.items():
        np.testing.assert_array_equal(values, many.subscales[name][2])
    np.testing.assert_array_equal(sum(alone.subscales.values()), alone.scores)
