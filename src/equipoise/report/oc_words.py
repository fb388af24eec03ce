"""What virtual trials say, in sentences: what was simulated, how often it rejects, when it ends, how estimates fare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..endpoints import describe
from ..simulation.vary import shown
from ..wording import arm_text, clean, counted, decimal, listed, percent, reason, sentence
from .oc_figures.words import phrases_of

if TYPE_CHECKING:
    from ..simulation import Comparison, OperatingCharacteristics
    from ..simulation.rates import Rate

__all__ = ["OcSummary", "assumed", "oc_summary", "simulated_rows"]

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
            [f"{clean(str(point))}: {told(result)}." for point, result in pairs]
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
    if len(found.points) > 1:
        shares = [one.power.value for one in found.results]
        varied = [name for name, values in found.axes.items() if len(values) > 1]
        over = [counted(len(found.designs), "design")] if len(found.designs) > 1 else []
        over += [counted(len(found.scenarios), "scenario")] if len(found.scenarios) > 1 else []
        over += [f"{len(found.axes[name])} values of {clean(name)}" for name in varied]
        return (
            f"Over {listed(over) or counted(len(found.results), 'point')}, from {percent(min(shares), 1)} to"
            f" {percent(max(shares), 1)} of the virtual trials conclude that {arms[0]} {wins} {arms[1]}."
        )
    if result.type_one_error is not None:
        return (
            f"With no effect there, {_share(result.type_one_error)} of {result.trials:,} virtual trials reject: the"
            f" type I error, against a nominal {percent(protocol.stopping.alpha, 1)}."
        )
    return f"{_share(result.power)} of {result.trials:,} virtual trials conclude that {arms[0]} {wins} {arms[1]}."


def _share(rate: Rate) -> str:
    return percent(rate.value, 1)


def _with_error(rate: Rate) -> str:
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
        text += f" of the last of {len(found.results)} points, of {len(found.points)} planned"
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
        result = found.results[0]
        effects = {one.true_effect for one in found.results}
        if len(effects) == 1:
            sentences.append(f"The true effect: {phrases_of(result).compared(result.true_effect)}.")
        else:
            near, far = sorted(effects, key=lambda effect: abs(effect - result.context.primary.null_value))[
                :: len(effects) - 1
            ]
            phrases = phrases_of(result)
            sentences.append(f"The true effect goes from {phrases.said(near)} to {phrases.compared(far)}.")
    for name, values in found.axes.items():
        if len(values) > 1:
            sentences.append(f"Varied: {clean(name)}, {_values(values)}.")
    if plan is not None and len(found.designs) == 1 and "patients" not in found.axes:
        looks = listed([f"{count:,}" for count in plan.units_per_look])
        each = "look" if len(plan.units_per_look) == 1 else "looks"
        sentences.append(f"{counted(plan.patients, 'patient')} planned; {each} at {looks} {plan.unit}.")
    if len(found.designs) > 1:
        sentences.append(f"Designs: {listed([clean(name) for name in found.designs])}.")
    trials = {one.trials for one in found.results}
    if trials:
        fewest, most = min(trials), max(trials)
        text = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
        every = " of each" if len(found.points) > 1 else ""
        seed = found.results[0].seed
        sentences.append(
            f"{text} virtual trials{every}, drawn patient by patient and analysed as the protocol says (seed {seed})."
        )
    if len(found.points) > 1 and len(found.scenarios) < len(found.points):
        sentences.append("All points of a scenario share their random numbers, so that differences are precise.")
    return tuple(sentences)


def _values(values: tuple) -> str:
    texts = [shown(value) for value in values]
    return listed(texts) if len(texts) <= 6 else f"{texts[0]}, {texts[1]}, … {texts[-1]} ({len(texts)} values)"


def _rejections(result: OperatingCharacteristics) -> list[str]:
    found = []
    if result.type_one_error is not None:
        found.append(f"type I error {_with_error(result.rejection)}, in favour of treatment {_share(result.power)}")
    else:
        found.append(f"power {_with_error(result.power)}")
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
    found.append(f"trials last {decimal(days.mean.value / 30.4375, 1)} months on average")
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
    text = f"observed {phrases.value(observed.mean.value)} on average (truth {phrases.value(result.true_effect)}),"
    text += f" its interval holds the truth in {_share(observed.coverage)}"
    if result.corrected and result.looks > 1:
        text += f"; corrected {phrases.value(corrected.mean.value)}, in {_share(corrected.coverage)}"
    return text


def _estimates(result: OperatingCharacteristics) -> list[str]:
    phrases, found = phrases_of(result), []
    observed, corrected = result.estimates(), result.estimates("median_unbiased")
    if observed.bias.trials:
        found.append(
            f"the estimate as observed averages {phrases.value(observed.mean.value)} where the truth is"
            f" {phrases.value(result.true_effect)}; its interval holds the truth in {_share(observed.coverage)}"
        )
    if result.corrected and result.looks > 1:
        found.append(
            f"corrected for stopping, the median-unbiased estimate averages"
            f" {phrases.value(corrected.mean.value)} and its interval holds the truth in {_share(corrected.coverage)}"
        )
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

    def extremes(values: list[float], text: str, digits: int = 1, as_percent: bool = True) -> str:
        low, high = values.index(min(values)), values.index(max(values))
        shown = [percent(values[at], digits) if as_percent else decimal(values[at], digits) for at in (low, high)]
        return f"{text} from {shown[0]} ({clean(str(points[low]))}) to {shown[1]} ({clean(str(points[high]))})"

    rejects = [extremes([one.power.value for one in results], "power")]
    nulls = [(at, one) for at, one in enumerate(results) if one.type_one_error is not None]
    for at, one in nulls[:_MOST_IN_WORDS]:
        rejects.append(f"{clean(str(points[at]))}: type I error {_with_error(one.rejection)}")
    ends = [extremes([one.patients().mean.value for one in results], "mean patients", as_percent=False)]
    if any(one.looks > 1 for one in results):
        ends.append(extremes([_early(one) for one in results], "share that ends before the last look"))
    estimates = []
    coverage = [one.estimates().coverage.value for one in results]
    if not any(math.isnan(value) for value in coverage):
        estimates.append(extremes(coverage, "coverage of the interval as observed"))
    if all(one.corrected for one in results):
        corrected = [one.estimates("median_unbiased").coverage.value for one in results]
        estimates.append(extremes(corrected, "coverage of the corrected interval"))
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
    several = {name for point in found.points for name in _lifelike(point.protocol, point.scenario)}
    if several:
        sentences.append(f"Lifelike settings in use: {listed(sorted(several))}.")
    return tuple(sentences)


def _lifelike(protocol: object, scenario: str) -> list[str]:
    chosen = protocol.scenarios[scenario]  # type: ignore[attr-defined]
    words = {
        "missed_visits": "missed visits",
        "responders": "a mixture of responders",
        "sites": "differences between sites",
        "expectancy": "expectancy",
        "rater_drift": "drift of raters",
        "exposure": "exposure-response",
        "items": "items of the scale",
    }
    return [words[name] for name in words if getattr(chosen, name, None) is not None]


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
