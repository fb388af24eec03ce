import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_trials import table, trial

import equipoise as eq
from equipoise.estimate import Interval, Scale
from equipoise.report.phrases import EffectPhrases
from equipoise.wording import (
    arm_label,
    arm_text,
    clean,
    counted,
    days,
    decimal,
    listed,
    p_cell,
    p_text,
    percent,
    reason,
    visit_text,
)

POINTS = EffectPhrases(Scale.MEAN_DIFFERENCE, "lower", 0.0, "CAPS-5", "ketamine", "midazolam")
RISK = EffectPhrases(Scale.RISK_DIFFERENCE, "higher", 0.0, "responders", "ketamine", "midazolam")
ODDS = EffectPhrases(Scale.LOG_ODDS_RATIO, "higher", 0.0, "responders", "ketamine", "midazolam")


def test_effects_carry_their_direction_in_words():
    assert POINTS.compared(-11.88) == "11.9 points lower on CAPS-5 with ketamine than with midazolam"
    assert POINTS.compared(2.0) == "2.0 points higher on CAPS-5 with ketamine than with midazolam"
    assert POINTS.compared(0.0) == "no difference on CAPS-5 between ketamine and midazolam"
    assert (
        RISK.compared(0.467)
        == "46.7 percentage points higher in the proportion of responders with ketamine than with midazolam"
    )
    assert ODDS.compared(math.log(2)) == "odds ratio 2.00 for responders, ketamine against midazolam"


def test_a_small_effect_is_not_rounded_to_none():
    assert POINTS.said(-0.004) == "0.004 points lower"


def test_intervals_keep_their_direction():
    assert POINTS.between(Interval(-19.2, -5.8)) == "5.8 to 19.2 points lower"
    assert POINTS.between(Interval(1.0, 2.0)) == "1.0 to 2.0 points higher"
    assert POINTS.between(Interval(-7.0, 6.1)) == "from 7.0 points lower to 6.1 points higher"
    assert POINTS.between(Interval(-0.02, 6.1)) == "from 0.02 points lower to 6.1 points higher"
    assert POINTS.between(Interval(-math.inf, 1.0)) == "from ∞ points lower to 1.0 points higher"
    assert ODDS.between(Interval(math.log(0.5), math.log(4))) == "0.50 to 4.00"


def test_the_favoured_arm_follows_the_scale():
    assert POINTS.favours(-1.0) == "ketamine"
    assert POINTS.favours(1.0) == "midazolam"
    assert RISK.favours(1.0) == "ketamine"
    assert POINTS.favours(0.0) == ""


@given(st.floats(0.001, 1000))
def test_mirrored_effects_differ_in_one_word(effect):
    assert POINTS.compared(effect).replace("higher", "lower") == POINTS.compared(-effect)


def test_numbers():
    assert decimal(-1.25, 1) == "−1.3"
    assert decimal(-0.01, 1) == "0.0"
    assert decimal(math.inf) == "∞"
    assert decimal(-math.inf) == "−∞"
    assert decimal(None) == decimal(math.nan) == "–"
    assert days(28.0) == "28"
    assert days(26.5) == "26.5"
    assert percent(0.0) == "0%"
    assert percent(0.001) == "below 1%"
    assert percent(0.9999, 1) == "above 99.9%"
    assert percent(1.0) == "100%"
    assert p_text(0.00001) == "p < 0.0001"
    assert p_text(0.0007) == "p = 0.0007"
    assert p_text(0.0234) == "p = 0.023"
    assert p_text(0.88) == "p = 0.88"
    assert p_cell(0.00001) == "<0.0001"
    assert p_cell(None) == "–"
    assert counted(1, "patient") == "1 patient"
    assert counted(1200, "patient") == "1,200 patients"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([]) == ""


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "a\u202eb", "a \t b"])
def test_clean_leaves_no_control_characters(text):
    assert clean(text) == "a b"


def test_clean_keeps_letters_of_every_script():
    persian = "می\u200cشود"
    assert clean(f" Kétamine\n名前 {persian} ") == f"Kétamine 名前 {persian}"


def test_names_inside_sentences_follow_the_protocol():
    protocol = trial("efficacy").protocol
    assert arm_label(protocol, "ketamine") == "Ketamine"
    assert arm_text(protocol, "ketamine") == "ketamine"
    assert visit_text(protocol, "week2") == "week 2"
    beat = trial("no interim look").protocol
    assert arm_text(beat, "BtheB") == "Beat the Blues"
    assert arm_text(beat, "TAU") == "treatment as usual"
    assert arm_label(beat, "TAU") == "Treatment as usual"


@pytest.mark.parametrize(
    ("label", "name", "inside"),
    [
        ("Treatment as usual", "TAU", "treatment as usual"),
        ("Ketamine 0.2 mg/kg", "ketamine-low", "ketamine 0.2 mg/kg"),
        ("Week 2", "W2", "week 2"),
        ("Placebo", "placebo", "placebo"),
        ("Beat the Blues", "BtheB", "Beat the Blues"),
        ("CBT for insomnia", "therapy", "CBT for insomnia"),
        ("McKenzie exercises", "exercises", "McKenzie exercises"),
        ("B12 with folate", "vitamins", "B12 with folate"),
        ("Prozac", "drug", "Prozac"),
        ("Prozac 20 mg", "Prozac", "Prozac 20 mg"),
        ("名前", "名前", "名前"),
    ],
)
def test_a_label_inside_a_sentence_is_small_unless_a_proper_name(label, name, inside):
    content = table()
    content["arms"][0] |= {"label": label}
    protocol = eq.Protocol.model_validate(content)
    arms = [arm.model_copy(update={"name": name}) if arm.label == label else arm for arm in protocol.arms]
    assert arm_text(protocol.model_copy(update={"arms": arms}), name) == inside


def test_a_reason_brings_no_full_stop_of_its_own():
    assert reason("nobody was\nseen. ") == reason("nobody was seen") == "nobody was seen"


def test_halves_are_rounded_up_the_same_everywhere():
    assert percent(0.625) == "63%"
    assert percent(0.625, 1) == "62.5%"
    assert percent(0.145) == "15%"
    assert decimal(0.145, 2) == "0.15"
    assert decimal(2.5, 0) == "3"
    assert decimal(1e300, 1).startswith("1000")


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
def test_rounding_errs_by_no_more_than_half_a_step(value, digits):
    shown = float(decimal(value, digits).replace("−", "-"))
    assert abs(shown - value) <= 0.5 * 10.0**-digits + 1e-11 * abs(value)
    assert decimal(-value, digits).replace("−", "") == decimal(value, digits).replace("−", "")
