"""A response endpoint's analysis in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wording import clean, decimal, listed, measure_text, percent, visit_text
from ..results import Description

if TYPE_CHECKING:
    from ...protocol import Protocol, ResponseEndpoint

__all__ = ["describe"]

_REFERENCES = {
    "newcombe": "Newcombe RG. Interval estimation for the difference between independent proportions. Stat Med"
    " 1998;17:873-890.",
    "miettinen-nurminen": "Miettinen O, Nurminen M. Comparative analysis of two rates. Stat Med 1985;4:213-226.",
    "cochran": "Cochran WG. Some methods for strengthening the common χ² tests. Biometrics 1954;10:417-451.",
    "mantel": "Mantel N, Haenszel W. Statistical aspects of the analysis of data from retrospective studies of disease."
    " J Natl Cancer Inst 1959;22:719-748.",
    "sato": "Sato T. On the variance estimator for the Mantel-Haenszel risk difference. Biometrics 1989;45:1323-1324.",
    "greenland": "Greenland S, Robins JM. Estimation of a common effect parameter from sparse follow-up data."
    " Biometrics 1985;41:55-68.",
    "robins": "Robins J, Breslow N, Greenland S. Estimators of the Mantel-Haenszel variance consistent in both sparse"
    " data and large-strata limiting models. Biometrics 1986;42:311-323.",
    "ye": "Ye T, Bannick M, Yi Y, Shao J. Robust variance estimation for covariate-adjusted unconditional treatment"
    " effect in randomized clinical trials with binary outcomes. Stat Theory Relat Fields 2023;7:159-163.",
    "ge": "Ge M, Durham LK, Meyer RD, Xie W, Thomas N. Covariate-adjusted difference in proportions from clinical"
    " trials using logistic regression and weighted risk differences. Drug Inf J 2011;45:481-493.",
    "rubin": "Rubin DB. Multiple Imputation for Nonresponse in Surveys. Wiley 1987.",
    "barnard-rubin": "Barnard J, Rubin DB. Small-sample degrees of freedom with multiple imputation. Biometrika"
    " 1999;86:948-955.",
    "fisher": "Fisher RA. The logic of inductive inference. J R Stat Soc 1935;98:39-82.",
    "barnard": "Barnard GA. Significance tests for 2x2 tables. Biometrika 1947;34:123-138.",
    "altman": "Altman DG. Confidence intervals for the number needed to treat. BMJ 1998;317:1309-1312.",
}
_NAMES = {"risk-difference": "difference", "risk-ratio": "ratio", "odds-ratio": "odds ratio"}


def describe(endpoint: ResponseEndpoint, protocol: Protocol) -> Description:
    """How a response is analysed, what counts as one, and what becomes of patients not seen."""
    comparison, kind, sources = _comparison(endpoint)
    adds, more = _additions(endpoint)
    sources = [*sources, *more, "altman"]
    return Description(
        method=" ".join([f"{_what(endpoint, protocol)} {comparison}", *adds]),
        kind=kind,
        measured=_who(endpoint, protocol),
        assumptions=_assumptions(endpoint, protocol),
        references=tuple(_REFERENCES[name] for name in dict.fromkeys(sources)),
        test="score test" if kind == "by the score test" else "",
        unseen=_unseen(endpoint, protocol),
    )


def _visit(endpoint: ResponseEndpoint, protocol: Protocol) -> str:
    return visit_text(protocol, protocol.visit_of(endpoint))


def _who(endpoint: ResponseEndpoint, protocol: Protocol) -> str:
    return f"patients with {measure_text(protocol, endpoint.measure)}" if endpoint.measure else "responders"


def _what(endpoint: ResponseEndpoint, protocol: Protocol) -> str:
    """What is compared, and the rule."""
    name = _NAMES[endpoint.effect]
    text = f"{name.capitalize()} of the proportions of {_who(endpoint, protocol)} at {_visit(endpoint, protocol)}"
    if endpoint.effect == "odds-ratio":
        text = f"Odds ratio of {_who(endpoint, protocol)} at {_visit(endpoint, protocol)}"
    if endpoint.measure:
        return f"{text}."
    if endpoint.improvement is not None:
        least = f"{percent(endpoint.improvement)} of the baseline score"
    else:
        least = f"{decimal(endpoint.points, 0 if (endpoint.points or 0) % 1 == 0 else 1)} points"
    return f"{text}; a response is an improvement in {clean(protocol.scale_name)} of at least {least}."


def _comparison(endpoint: ResponseEndpoint) -> tuple[str, str, list[str]]:
    """How the arms are compared, the same in a phrase, and its sources."""
    if endpoint.covariates:
        test = " (score test)" if endpoint.effect == "risk-difference" else ""
        given = listed(["arm", *(clean(name) for name in endpoint.covariates)])
        variance = {
            "ye": "the robust variance of Ye and others, which holds though the model be wrong",
            "ge": "the delta method from the model's coefficients, the covariates taken as given (Ge and others)",
        }[endpoint.variance]
        return (
            f"Each patient's risk in each arm is predicted by a logistic regression on {given}, and averaged"
            f" over all patients (standardisation); its variance is by {variance}. Ratios are tested by their"
            " logarithms. Where that regression cannot be fitted, as where a covariate tells all who respond from the"
            f" others or does not vary, the comparison is unadjusted{test}, and a note says so.",
            "adjusted by standardisation",
            [endpoint.variance],
        )
    if endpoint.missing == "multiple-imputation":
        model = "within the arm" if endpoint.measure else "by arm, baseline and the scores at earlier visits"
        what = "responses" if endpoint.measure else "scores"
        return (
            f"Missing {what} are imputed {endpoint.imputations} times {model}, parameters and values drawn from their"
            " posterior; the comparisons of the completed data sets are pooled by Rubin's rules, with Barnard and"
            " Rubin's degrees of freedom. The draws follow from the data, so that the same data give the same result.",
            "after multiple imputation",
            ["rubin", "barnard-rubin"],
        )
    if endpoint.strata:
        return _stratified(endpoint)
    if endpoint.effect != "risk-difference":
        if endpoint.interval == "miettinen-nurminen":
            interval = " The interval as observed is the score interval of Miettinen and Nurminen."
            return f"It is tested by its logarithm, unadjusted.{interval}", "unadjusted", ["miettinen-nurminen"]
        return "It is tested by its logarithm, unadjusted, with the delta method's variance.", "unadjusted", []
    whose = "Newcombe's hybrid score" if endpoint.interval == "newcombe" else "Miettinen and Nurminen's score"
    return (
        "A look tests it with the standard error that holds where there is no difference, from the counts of both arms"
        f" pooled (score test). The interval as observed is {whose} interval; it rests on no such standard error, so"
        " that interval and test may disagree at the margin.",
        "by the score test",
        [endpoint.interval],
    )


def _stratified(endpoint: ResponseEndpoint) -> tuple[str, str, list[str]]:
    over = f"over strata of {listed([clean(name) for name in endpoint.strata])}"
    if endpoint.effect == "risk-difference":
        score = endpoint.interval == "miettinen-nurminen"
        whose = "Miettinen and Nurminen's score limits with the same weights" if score else "from Sato's variance"
        return (
            f"Differences are averaged {over} with Mantel and Haenszel's weights. The test is that of Cochran, Mantel"
            f" and Haenszel, without correction for continuity; the interval as observed is {whose}.",
            "stratified",
            ["cochran", "mantel", "miettinen-nurminen" if score else "sato"],
        )
    source, whose = {
        "risk-ratio": ("greenland", "Greenland and Robins"),
        "odds-ratio": ("robins", "Robins, Breslow and Greenland"),
    }[endpoint.effect]
    return (
        f"It is Mantel and Haenszel's {over}, tested by its logarithm with the variance of {whose}.",
        "stratified",
        ["mantel", source],
    )


def _additions(endpoint: ResponseEndpoint) -> tuple[list[str], list[str]]:
    adds = [
        "Proportions have Wilson intervals; the number needed to treat (NNTB for benefit, NNTH for harm) is the"
        " reciprocal of the difference in risk and of its interval, which runs through infinity where the difference"
        " may be none."
    ]
    if endpoint.exact == "none":
        return adds, []
    name = "Fisher's" if endpoint.exact == "fisher" else "Barnard's"
    over = " over strata" if endpoint.strata else ""
    return [*adds, f"{name} exact test{over} stands beside it."], [endpoint.exact]


def _unseen(endpoint: ResponseEndpoint, protocol: Protocol) -> str:
    if endpoint.missing == "multiple-imputation":
        return "what they would have shown is imputed as missing at random"
    if endpoint.missing == "observed-only":
        return "they are left out, as if they did not differ from those seen"
    if endpoint.measure and protocol.measure(endpoint.measure).better == "lower":
        return f"they count as having {measure_text(protocol, endpoint.measure)}"
    return "they count as non-responders"


def _assumptions(endpoint: ResponseEndpoint, protocol: Protocol) -> tuple[str, ...]:
    who = f"Patients not seen at {_visit(endpoint, protocol)}"
    if endpoint.missing == "observed-only":
        found = [f"{who} respond as often as those seen in their arm."]
    elif endpoint.missing == "multiple-imputation":
        given = "arm" if endpoint.measure else "arm, baseline and the scores at earlier visits"
        found = [f"{who} would have responded as often as those seen, given {given} (missing at random)."]
        if not endpoint.measure:
            found.append("For imputing, scores are treated as approximately normal, with one covariance in all arms.")
    elif endpoint.measure and protocol.measure(endpoint.measure).better == "lower":
        found = [f"{who}, once it was due, had {measure_text(protocol, endpoint.measure)}."]
    else:
        found = [f"{who}, once it was due, did not respond."]
    if endpoint.strata and endpoint.effect != "risk-difference":
        found.append(f"The {endpoint.effect.replace('-', ' ')} is the same in all strata.")
    return tuple(found)
