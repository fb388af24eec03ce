"""How a trial was analysed, what was assumed, and who found the methods, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sequential import BoundaryFamily, SpendingFunction
from .phrases import EffectPhrases, arm_text, clean, counted, decimal, level_text, listed, percent, reason, visit_text
from .words import decision_of

if TYPE_CHECKING:
    from ..trial import TrialResult

__all__ = ["assumptions", "methods", "references", "reproduction"]


def methods(result: TrialResult) -> tuple[tuple[str, str], ...]:
    """Paragraphs with their headings: design, stopping rule, analysis, correction, other endpoints."""
    protocol, plan = result.protocol, result.plan
    design, stopping = plan.design, protocol.stopping
    arms = listed([arm_text(protocol, name) for name in protocol.arm_names])
    ratio = ":".join(f"{protocol.allocation.ratio[name]:g}" for name in protocol.arm_names)
    blocks = "permuted blocks" if protocol.allocation.method == "permuted-blocks" else "simple randomisation"
    strata = (
        f", stratified by {listed([clean(name) for name in protocol.allocation.strata])}"
        if protocol.allocation.strata
        else ""
    )
    paragraphs = [
        (
            "Design",
            (
                f"Randomised parallel groups: {arms}, {ratio}, by {blocks}{strata}; {counted(plan.patients, 'patient')}"
                f" planned. The primary endpoint is “{clean(protocol.primary.label or protocol.primary.name)}”."
            ),
        ),
        ("Stopping rule", _rule(result)),
        ("Primary analysis", _analysis(result)),
    ]
    if design.looks > 1:
        paragraphs.append(
            (
                "Correction for stopping",
                (
                    "p-value, median-unbiased estimate and confidence interval follow the stage-wise ordering of the"
                    " sample space: outcomes that stop earlier in favour of an arm are the more extreme. The"
                    " bias-adjusted estimate is the effect under which the estimate at stopping would average the"
                    " observed one. The repeated confidence interval holds at all looks together, however the trial"
                    f" comes to end. Intervals are at {level_text(protocol.confidence_level)}, which matches"
                    f" {'two' if stopping.sided == 2 else 'one'}-sided alpha {stopping.alpha:g}. With few patients the"
                    " t statistic is turned into the z of the same tail probability before it meets a bound."
                ),
            )
        )
    others = _others(result)
    if others:
        paragraphs.append(("Other endpoints", others))
    return tuple(paragraphs)


def _boundary(rule: SpendingFunction | BoundaryFamily) -> str:
    if isinstance(rule, SpendingFunction):
        return f"Error spending of the family {rule.name}"
    return f"The boundary {rule.name}"


def _rule(result: TrialResult) -> str:
    design, plan = result.plan.design, result.plan
    sides = "one-sided" if design.sided == 1 else "two-sided"
    if design.looks == 1:
        return (
            f"One analysis at {sides} alpha {design.alpha:g}, after {counted(plan.patients, 'patient')}; no interim"
            " look is planned."
        )
    when = listed([str(count) for count in plan.patients_per_look])
    text = (
        f"{design.looks} looks, when {when} patients have reached the primary visit, seen or not."
        f" {_boundary(design.efficacy)} at {sides} alpha {design.alpha:g} gives efficacy bounds on z of"
        f" {listed([decimal(float(bound), 3) for bound in design.efficacy_bounds])}"
    )
    text += ", and their negatives for harm." if design.sided == 2 else "."
    if design.futility is not None:
        force = "binding" if design.binding else "non-binding"
        spends = isinstance(design.futility, SpendingFunction)
        what = f"{design.futility.name} spending of beta {design.beta:g}" if spends else design.futility.name
        where = ", in a wedge around no effect" if design.sided == 2 else ""
        text += f" Futility: {what}{where}, {force}."
    if (
        decision_of(result).stops
        and result.conclusion is not None
        and len(result.conclusion.information) < result.last_look.number
    ):
        text += (
            " A look that could not be analysed spent nothing; the bounds of the later ones were computed without it."
        )
    return text


def _analysis(result: TrialResult) -> str:
    protocol, analysis = result.protocol, result.protocol.analysis
    primary = protocol.primary
    visit = visit_text(protocol, primary.visit)
    outcome = "change from baseline" if analysis.outcome == "change" else "score"
    covariates = listed([clean(name) for name in analysis.covariates]) or "none"
    if primary.type == "longitudinal":
        visits = listed([visit_text(protocol, name) for name in protocol.modelled_visits])
        by_visit = (
            f"; the slope of {listed([clean(name) for name in analysis.by_visit])} differs by visit"
            if analysis.by_visit
            else ""
        )
        freedom = {
            "satterthwaite": "Satterthwaite",
            "kenward-roger": "Kenward-Roger",
            "kenward-roger-mmrm": "Kenward-Roger (second derivatives of R's mmrm)",
            "residual": "residual",
            "normal": "infinite (normal)",
        }[analysis.degrees_of_freedom]
        sandwich = "" if analysis.variance == "model" else f", sandwich variance ({analysis.variance})"
        return (
            f"Mixed model for repeated measures of the {outcome} in {clean(protocol.outcome.scale)} at {visits}: arm by"
            f" visit, covariates {covariates}{by_visit}; {analysis.covariance_described} between visits,"
            f" {analysis.method.upper()}{sandwich}, {freedom} degrees of freedom. The effect is the difference of the"
            f" arms' adjusted means (LS means) at {visit}."
        )
    if primary.type == "mean":
        return (
            f"Analysis of covariance of the {outcome} in {clean(protocol.outcome.scale)} at {visit} among patients seen"
            f" there; covariates {covariates}. The effect is the difference of the adjusted means."
        )
    corrected = (
        " Intervals corrected for stopping and repeated intervals are built on that same standard error and cut at −100"
        " and 100 percentage points."
        if result.plan.design.looks > 1
        else ""
    )
    return (
        f"Difference of the proportions of responders at {visit}. A look tests it with the standard error that holds"
        " where there is no difference, from the responders of both arms pooled (score test)."
        f"{corrected} The interval as observed is Newcombe's hybrid score interval, as in the table of responders; it"
        " rests on no such standard error, so that interval and test may disagree at the margin."
    )


def _others(result: TrialResult) -> str:
    kinds = {item.type for item in result.protocol.endpoints if item.role != "primary"}
    parts = []
    if "response" in kinds or result.protocol.primary.type == "response":
        parts.append(
            "Proportions of responders have Wilson intervals, their difference Newcombe's hybrid score interval; the"
            " number needed to treat (NNTB for benefit, NNTH for harm) is its reciprocal, which runs through infinity"
            " where the difference may be none."
        )
    if "loss-of-response" in kinds:
        parts.append(
            "Time to loss of response is described by Kaplan-Meier curves, with log-log limits and Brookmeyer-Crowley"
            " intervals of the median: among responders, and among all randomised with those who did not respond"
            " counting as lost on day 0."
        )
    if "longitudinal" in kinds or "mean" in kinds:
        parts.append("Secondary comparisons of scores use the analysis of the protocol at their own visit.")
    return " ".join(parts)


def assumptions(result: TrialResult) -> tuple[str, ...]:
    """What the report takes for granted."""
    protocol, plan = result.protocol, result.plan
    primary = protocol.primary
    sentences = []
    name = result.provenance.scenario
    if result.provenance.is_virtual and name:
        description = reason(protocol.scenarios[name].description) if name in protocol.scenarios else ""
        sentences.append(
            f"The patients were drawn from the scenario “{clean(name)}”{': ' + description if description else ''}."
        )
    phrases = EffectPhrases.of(result, result.conclusion.observed) if result.conclusion is not None else None
    effect = phrases.compared(plan.effect) if phrases is not None else f"an effect of {decimal(plan.effect, 2)}"
    sentences.append(
        f"The plan assumes the scenario “{clean(plan.scenario)}”: {effect}. The power of"
        f" {percent(plan.under_effect.power, 1)} takes the standard error as known, which small trials do not quite"
        " reach."
    )
    if primary.type == "longitudinal":
        sentences.append(
            "Scores that are missing are missing at random: given baseline, arm and earlier scores, dropping out says"
            " nothing of the score."
        )
    elif primary.type == "mean":
        sentences.append(
            "Patients not seen at the primary visit do not differ from those seen, given arm and covariates."
        )
    elif primary.missing == "non-response":
        sentences.append("Patients not seen at the primary visit, once it was due, did not respond.")
    else:
        sentences.append("Patients not seen at the primary visit respond as often as those seen in their arm.")
    if primary.type != "response":
        by_arm = primary.type == "longitudinal" and protocol.analysis.covariance_by_arm
        alike = "" if by_arm else " with the same covariance in all arms"
        sentences.append(f"Scores are treated as approximately normal{alike}.")
    if plan.design.looks > 1:
        sentences.append(
            f"The boundary is the one named in the protocol ({plan.design.efficacy.name}), and information at a"
            " look is the fraction of planned patients who have reached the primary visit."
        )
    return tuple(sentences)


def references(result: TrialResult) -> tuple[str, ...]:
    """Sources of the methods used, and those the protocol and its scale name."""
    protocol = result.protocol
    types = {item.type for item in protocol.endpoints}
    found = list(protocol.trial.sources)
    if protocol.data is not None and protocol.data.citation and not result.provenance.is_virtual:
        found.append(protocol.data.citation)
    found.append(f"{protocol.scale.name}: {protocol.scale.source}")
    if result.plan.design.looks > 1:
        found += [
            "Lan KKG, DeMets DL. Discrete sequential boundaries for clinical trials. Biometrika 1983;70:659-663.",
            (
                "Jennison C, Turnbull BW. Group Sequential Methods with Applications to Clinical Trials. Chapman & Hall"
                " 2000."
            ),
            (
                "Jennison C, Turnbull BW. Interim analyses: the repeated confidence interval approach. J R Stat Soc B"
                " 1989;51:305-361."
            ),
            (
                "Whitehead J. On the bias of maximum likelihood estimation following a sequential test. Biometrika"
                " 1986;73:573-581."
            ),
        ]
        if result.stopped_early:
            found.append(
                "Gelman A, Carlin J. Beyond power calculations: assessing type S and type M errors. Perspect Psychol"
                " Sci 2014;9:641-651."
            )
    if "longitudinal" in types:
        found.append(
            "Mallinckrodt CH, et al. Recommendations for the primary analysis of continuous endpoints in longitudinal"
            " clinical trials. Drug Inf J 2008;42:303-319."
        )
    if "response" in types:
        found += [
            (
                "Newcombe RG. Interval estimation for the difference between independent proportions. Stat Med"
                " 1998;17:873-890."
            ),
            "Altman DG. Confidence intervals for the number needed to treat. BMJ 1998;317:1309-1312.",
        ]
    if "loss-of-response" in types:
        found += [
            (
                "Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat Assoc"
                " 1958;53:457-481."
            ),
            "Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics 1982;38:29-41.",
        ]
    return tuple(clean(item) for item in dict.fromkeys(found))


def reproduction(result: TrialResult) -> tuple[tuple[str, str], ...]:
    """What it takes to make the result again, as names and values."""
    source = result.provenance
    rows = [
        ("Protocol", source.protocol),
        ("Protocol hash (SHA-256)", source.protocol_hash),
        ("Equipoise version", source.version),
    ]
    rows.append(("Data", source.data))
    rows.append(("Hash of the data (SHA-256)", result.followed.fingerprint))
    if source.scenario is not None:
        rows.append(("Scenario", source.scenario))
    if source.seed is not None:
        rows.append(("Seed", str(source.seed)))
    if source.trial is not None:
        rows.append(("Trial of that seed", str(source.trial)))
    return tuple((name, clean(value)) for name, value in rows)
