"""What virtual trials say, in sentences: what was simulated, how often it rejects, when it ends, how estimates fare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..data import DAYS_PER_MONTH
from ..endpoints import describe
from ..protocol.scenario_words import settings_of
from ..simulation.effect_text import arms_compared
from ..simulation.point_names import short_names, value_text
from ..simulation.theory import power_by_theory
from ..wording import arm_text, clean, counted, decimal, listed, percent, reason, sentence
from .oc_figures.words import phrases_of, point_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..simulation import Comparison, OperatingCharacteristics
    from ..simulation.rates import Rate

__all__ = ["OcSummary", "assumed", "oc_summary", "simulated_rows", "unanalysed"]

ORIGIN = (
    "All patients are virtual: these are properties of a design under assumed truths, no evidence about treatments."
)
_MOST_IN_WORDS = 4


@dataclass(frozen=True)
class OcSummary:
    """The first page of simulated trials: one sentence for each item of a tuple.

    Attributes
    ----------
    headline
        The power, or the type I error, in one sentence.
    origin
        That patients are virtual, and how far the simulation came.
    simulated, rejects, ends, estimates
        What was simulated; how often it rejects; when trials end and how large they are; what estimates are worth.
    """

    headline: str
    origin: str
    simulated: tuple[str, ...]
    rejects: tuple[str, ...]
    ends: tuple[str, ...]
    estimates: tuple[str, ...]


def oc_summary(found: Comparison) -> OcSummary:
    """The first page of a comparison, or of one set of virtual trials."""
    if len(found.points) == 1 and found.results:
        result = found.results[0]
        rejects, ends, estimates = (
            [sentence(text) for text in told(result)] for told in (_rejections, _ends, _estimates)
        )
    elif len(found.results) <= _MOST_IN_WORDS:
        pairs = list(zip(found.points, found.results, strict=False))
        rejects, ends, estimates = (
            [f"{point_text(found, point)}: {told(result)}." for point, result in pairs]
            for told in (_rejection_briefly, _end_briefly, _estimate_briefly)
        )
    else:
        rejects, ends, estimates = ([sentence(text) for text in texts] for texts in _ranges(found))
    return OcSummary(
        _headline(found),
        f"{ORIGIN}{_how_far(found)}",
        _simulated(found),
        tuple(rejects),
        tuple(ends),
        tuple(estimates),
    )


def _headline(found: Comparison) -> str:
    if not found.results:
        return "No virtual trial has been finished yet."
    protocol = found.points[0].protocol
    arms = [arm_text(protocol, name) for name in (protocol.experimental.name, protocol.control.name)]
    wins = clean(describe(protocol.primary, protocol).wins)
    result = found.results[0]
    if len(found.results) > 1:
        return _range_of_power(found, f"conclude that {arms[0]} {wins} {arms[1]}") + _lost(found.results)
    at = f"At {point_text(found, found.points[0])}, the only one done of {len(found.points)} points, "
    at = at if len(found.points) > 1 else ""
    if result.type_one_error is not None:
        told = (
            f"{at or 'With '}{'with ' if at else ''}no effect there, {_share(result.type_one_error)} of"
            f" {counted(result.trials, 'virtual trial')} reject: the type I error, against a nominal"
            f" {percent(protocol.stopping.alpha, 1)}."
        )
    else:
        told = (
            f"{at}{_share(result.power)} of {counted(result.trials, 'virtual trial')} conclude that {arms[0]} {wins}"
            f" {arms[1]}."
        )
    return told + _lost(found.results)


def _range_of_power(found: Comparison, conclude: str) -> str:
    """The lowest and the highest power of the points that are done, and type I errors apart from them."""
    done = found.points[: len(found.results)]
    over = []
    for what, every in (("design", found.designs), ("scenario", found.scenarios)):
        reached = len({getattr(point, what) for point in done})
        if len(every) > 1:
            over.append(counted(reached, what) if reached == len(every) else f"{reached} of {len(every)} {what}s")
    names = short_names(found.axes)
    for name, values in found.axes.items():
        if len(values) > 1:
            reached = len({repr(point.values[name]) for point in done if name in point.values})
            of = f"{len(values)}" if reached == len(values) else f"{reached} of {len(values)}"
            over.append(f"{of} values of {names[name]}")
    powers = [one.power.value for one in found.results if one.type_one_error is None]
    errors = [one.type_one_error.value for one in found.results if one.type_one_error is not None]
    parts = []
    if powers:
        parts.append(f"{_from_to(powers)} of the virtual trials {conclude}")
    if errors:
        where = "with no effect there, " if powers else ""
        parts.append(f"{where}{_from_to(errors)} reject, the type I error")
    return f"Over {listed(over) or counted(len(found.results), 'point')}, {'; '.join(parts)}."


def _from_to(shares: list[float]) -> str:
    low, high = percent(min(shares), 1), percent(max(shares), 1)
    return low if low == high else f"from {low} to {high}"


def _lost(results: Sequence[OperatingCharacteristics]) -> str:
    """How many trials count as not rejecting because they could not be analysed when they ended; empty for none."""
    lost, trials = sum(_not_analysed(one) for one in results), sum(one.trials for one in results)
    if not lost:
        return ""
    return (
        f" {counted(lost, 'trial')} of {trials:,} could not be analysed at their last look and"
        f" {'counts' if lost == 1 else 'count'} as not rejecting."
    )


def _not_analysed(result: OperatingCharacteristics) -> int:
    return result.trials - result.estimates().estimated


def unanalysed(result: OperatingCharacteristics) -> str:
    """The sentence on trials that count as not rejecting because nothing could be estimated; empty for none."""
    return _lost([result])


def _share(rate: Rate) -> str:
    return percent(rate.value, 1)


def _with_error(rate: Rate) -> str:
    if not 0 < rate.hits < rate.trials:
        return f"{percent(rate.value, 2)} ({rate.hits:,} of {counted(rate.trials, 'trial')})"
    return f"{percent(rate.value, 2)} (Monte-Carlo standard error {decimal(100 * rate.standard_error, 2)})"


def _how_far(found: Comparison) -> str:
    if found.complete:
        precise = any(one.precise for one in found.results)
        return " Runs ended once the power was known as precisely as was asked for." if precise else ""
    if not found.results:
        return " The run was interrupted before the first trials were done."
    last = found.results[-1]
    text = f" The run was interrupted: {last.trials:,} of {counted(last.planned_trials, 'trial')} done"
    if len(found.points) > 1:
        text += f" of point {len(found.results)} of {len(found.points)}"
    return f"{text}."


def _simulated(found: Comparison) -> tuple[str, ...]:
    plan, sentences = None, []
    for name in found.scenarios:
        description = reason(
            next(one for one in found.points if one.scenario == name).protocol.scenario(name).description
        )
        sentences.append(f"Scenario “{clean(name)}”{': ' + description if description else ''}.")
    if found.results:
        plan = found.results[0].context.plan
        sentences.append(_truth(found))
    for name, values in found.axes.items():
        if len(values) > 1:
            sentences.append(f"Varied: {clean(name)}, {_values(values)}.")
    if plan is not None and len(found.designs) == 1 and "patients" not in found.axes:
        looks = listed([f"{count:,}" for count in plan.units_per_look])
        each = "look" if len(plan.units_per_look) == 1 else "looks"
        sentences.append(f"{counted(plan.patients, 'patient')} planned; {each} at {looks} {plan.unit}.")
    arms = arms_compared(found.points[0].protocol)
    if arms:
        sentences.append(f"{arms}.")
    if len(found.designs) > 1:
        names = listed([clean(name) for name in found.designs])
        sentences.append(f"Designs: {names}; their looks and bounds stand in tables below.")
    trials = {one.trials for one in found.results}
    if trials:
        fewest, most, seed = min(trials), max(trials), found.results[0].seed
        text = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
        every = " of each" if len(found.results) > 1 else ""
        every += " point done" if every and len(found.results) < len(found.points) else ""
        trial = "trial" if text == "1" else "trials"
        sentences.append(
            f"{text} virtual {trial}{every}, drawn patient by patient and analysed as the protocol says (seed {seed})."
        )
    if len(found.results) > 1 and len(found.scenarios) < len(found.points):
        sentences.append("All points of a scenario share their random numbers, so that differences are precise.")
    return tuple(sentences)


def _truth(found: Comparison) -> str:
    """The true effects, as far as they are known."""
    phrases, null = phrases_of(found.results[0]), found.results[0].context.primary.null_value
    effects = {one.true_effect for one in found.results if not math.isnan(one.true_effect)}
    if not effects:
        return "The true effect is not told by the scenario's numbers, as settings that are on change it."
    near, far = (chosen(effects, key=lambda effect: abs(effect - null)) for chosen in (min, max))
    if len(effects) == 1:
        return f"The true effect: {phrases.compared(far)}."
    return f"The true effect goes from {phrases.said(near)} to {phrases.compared(far)}."


def _values(values: tuple) -> str:
    texts = [value_text(value) for value in values]
    return listed(texts) if len(texts) <= 6 else f"{texts[0]}, {texts[1]}, … {texts[-1]} ({len(texts)} values)"


def _rejections(result: OperatingCharacteristics) -> list[str]:
    found = []
    if result.type_one_error is not None:
        found.append(f"type I error {_with_error(result.rejection)}, in favour of treatment {_share(result.power)}")
    else:
        theory = power_by_theory(result)
        beside = "" if math.isnan(theory) else f", where normal theory has {percent(theory, 2)}"
        found.append(f"power {_with_error(result.power)}{beside}")
        harm = result.rejection.hits - result.power.hits
        if harm:
            share = percent(harm / result.trials, 2)
            found.append(f"{share} reject in favour of control, the wrong way")
    if result.failures:
        found.append(f"{counted(result.failures, 'look')} could not be analysed")
    return found


def _ends(result: OperatingCharacteristics) -> list[str]:
    patients, days = result.patients(), result.duration()
    found = []
    if result.looks > 1:
        found.append(f"{percent(_early(result), 1)} of trials end before the last look")
    quantiles = patients.quantiles((5, 95))
    spread = f" (90% of trials: {quantiles[5]:,.0f} to {quantiles[95]:,.0f})" if quantiles[5] < quantiles[95] else ""
    found.append(f"{decimal(patients.mean.value, 1)} patients are randomised on average{spread}")
    months = decimal(days.mean.value / DAYS_PER_MONTH, 1)
    found.append(f"trials last {days.mean.value:,.0f} days ({months} months) on average")
    if result.missing.trials and result.missing.value > 0:
        found.append(f"{percent(result.missing.value, 1)} of the patients due are not seen at the primary visit")
    return found


def _rejection_briefly(result: OperatingCharacteristics) -> str:
    name = "power" if result.type_one_error is None else "type I error"
    return f"{name} {_with_error(result.power if result.type_one_error is None else result.rejection)}"


def _end_briefly(result: OperatingCharacteristics) -> str:
    text = f"{decimal(result.patients().mean.value, 1)} patients on average"
    if result.looks > 1:
        text += f", {percent(_early(result), 1)} of trials end before the last look"
    return text


def _early(result: OperatingCharacteristics) -> float:
    return sum(rate.hits for rate in result.stopping[:-1]) / max(result.trials, 1)


def _estimate_briefly(result: OperatingCharacteristics) -> str:
    phrases, observed, corrected = phrases_of(result), result.estimates(), result.estimates("median_unbiased")
    both, known = result.corrected and result.looks > 1, observed.coverage.trials > 0
    text = f"observed {phrases.value(observed.mean.value)} on average"
    text += f" (truth {phrases.value(result.true_effect)})" if known else ""
    text += f", its interval holds the truth in {_share(observed.coverage)}" if known else ""
    text += f"; corrected {phrases.value(corrected.mean.value)}" if both else ""
    return text + (f", in {_share(corrected.coverage)}" if both and known else "")


def _estimates(result: OperatingCharacteristics) -> list[str]:
    phrases, found = phrases_of(result), []
    observed, corrected = result.estimates(), result.estimates("median_unbiased")
    if observed.estimated:
        text = f"the estimate as observed averages {phrases.value(observed.mean.value)}"
        if observed.bias.trials:
            text += f" where the truth is {phrases.value(result.true_effect)}"
        if observed.coverage.trials:
            text += f"; its interval holds the truth in {_share(observed.coverage)}"
        found.append(text)
    if result.corrected and result.looks > 1:
        text = f"corrected for stopping, the median-unbiased estimate averages {phrases.value(corrected.mean.value)}"
        if corrected.coverage.trials:
            text += f" and its interval holds the truth in {_share(corrected.coverage)}"
        found.append(text)
    given = result.given_efficacy.exaggeration
    if given.trials and not math.isnan(given.value):
        found.append(
            f"among trials that show efficacy the observed effect is on average {decimal(given.value, 2)} times"
            " the true one"
        )
    return found


def _ranges(found: Comparison) -> tuple[list[str], list[str], list[str]]:
    """Where points are many: the lowest and the highest of each."""
    results, points = found.results, found.points

    def extremes(values: list[float], text: str, at: Sequence[int], as_percent: bool = True) -> str:
        ends = []
        for chosen in (min, max):
            value = chosen(values)
            said = percent(value, 1) if as_percent else decimal(value, 1)
            ends.append(f"{said} ({point_text(found, points[at[values.index(value)]])})")
        return f"{text} from {ends[0]} to {ends[1]}"

    every = range(len(results))
    able = [at for at in every if results[at].type_one_error is None]
    rejects = [extremes([results[at].power.value for at in able], "power", able)] if able else []
    nulls = [(at, one) for at, one in enumerate(results) if one.type_one_error is not None]
    for at, one in nulls[:_MOST_IN_WORDS]:
        rejects.append(f"{point_text(found, points[at])}: type I error {_with_error(one.rejection)}")
    ends = [extremes([one.patients().mean.value for one in results], "mean patients", every, as_percent=False)]
    if any(one.looks > 1 for one in results):
        ends.append(extremes([_early(one) for one in results], "share that ends before the last look", every))
    estimates = []
    for name, text in (("observed", "as observed"), ("median_unbiased", "corrected")):
        coverage = [one.estimates(name).coverage.value for one in results]
        if not any(map(math.isnan, coverage)):
            estimates.append(extremes(coverage, f"coverage of the interval {text}", every))
    return rejects, ends, estimates


def assumed(found: Comparison) -> tuple[str, ...]:
    """What the simulation takes for granted, a sentence each."""
    protocol = found.points[0].protocol
    sentences = [
        "Scores follow the scenario's means and standard deviations, rounded to whole points within the scale, with the"
        " correlations between visits it names; patients enter at random times at the rate of accrual."
        if protocol.outcome is not None
        else "Outcomes follow the laws that the scenario names; patients enter at random times at the rate of accrual.",
        "Every virtual trial is randomised, followed, looked at and analysed as the protocol says; what is not known"
        " at a look is not used.",
        "A power is as good as the truth it assumes: the bands and standard errors here are of the simulation alone and"
        " say nothing of how likely the scenario is.",
    ]
    several = _lifelike(found)
    if several:
        sentences.append(f"Settings of the scenario that are on: {'; '.join(several)}.")
    return tuple(sentences)


def _lifelike(found: Comparison) -> list[str]:
    """Settings that are on at any point, with what is given where all points that have them give the same."""
    given: dict[str, set[str]] = {}
    for point in found.points:
        for setting in settings_of(point.protocol, point.scenario):
            given.setdefault(setting.title, set()).add(setting.given)
    told = {title: clean(next(iter(texts))) if len(texts) == 1 else "" for title, texts in given.items()}
    return [f"{title} ({text})" if text else title for title, text in told.items()]


def simulated_rows(found: Comparison) -> tuple[tuple[str, str], ...]:
    """What it takes to make the results again, as names and values."""
    first = found.points[0]
    rows = [("Trial", first.protocol.trial.name), ("Scenarios", ", ".join(found.scenarios))]
    hashes = list(dict.fromkeys(point.protocol.hash for point in found.points))
    rows.append(
        ("Protocol hash (SHA-256)", hashes[0] if len(hashes) == 1 else f"{hashes[0]} and {len(hashes) - 1} more")
    )
    if found.results:
        result = found.results[0]
        rows += [("Equipoise version", result.version), ("Seed", str(result.seed))]
        rows.append(("Streams of random numbers", ", ".join(dict.fromkeys(one.stream for one in found.results))))
        rows.append(
            (
                "Trials asked for",
                f"{result.planned_trials:,} of each" if len(found.points) > 1 else f"{result.planned_trials:,}",
            )
        )
        done = sum(one.trials for one in found.results)
        rows.append(("Trials done", f"{done:,}"))
        if result.precision is not None:
            rows.append(("Precision asked for", f"Monte-Carlo standard error of the power {result.precision:g}"))
    rows.append(("Complete", "yes" if found.complete else "no, interrupted"))
    return tuple((name, clean(value)) for name, value in rows)
