"""What R 4.2.2 and its nlme 3.1-162 give for contrasts over several visits, and for several outcomes in one model.

`gls` with `corSymm` and `varIdent`; its optimiser stops up to 1e-5 standard errors from the maximum.
"""

import numpy as np

# Beat the Blues (HSAUR): score ~ visit + arm by visit + baseline + antidepressant + length, by REML; the treatment
# minus usual care over months 2, 3, 5 and 8, days 61, 91, 152 and 243: effect and standard error.
BEAT_THE_BLUES = {
    "average": (-1.93362333046, 1.78146695023),
    "slope": (0.111743063608, 0.0704991011937),
    "area": (-1.67222799841, 1.58749459719),
}

# The trial made by `related_outcomes`, y ~ outcome + outcome by (arm, own covariate, age): differences of three
# outcomes, their standard errors, the sum and its standard error, and the log-likelihood. "missing" is REML without
# four outcomes.
RELATED = {
    "reml": (
        (-1.93651522286, -1.89640097267, -1.05456861646),
        (1.24626792956, 1.77389904511, 1.64789213161),
        (-4.88748481198, 2.83247855973),
        -163.445411195,
    ),
    "ml": (
        (-1.93896099996, -1.89704066006, -1.05558777897),
        (1.14486028328, 1.62807290271, 1.50631768377),
        (-4.891589439, 2.59938041787),
        -158.496747541,
    ),
    "missing": (
        (-1.921369250351, -2.407256596268, -0.877613191169),
        (1.27332213974, 2.37420631703, 1.69157881408),
        (-5.20623903779, 3.30240933056),
        -155.110053464,
    ),
}

# Children after a disaster, EMDR minus CBT: intrusion, avoidance and arousal of the PTSD Reaction Index after
# treatment, each given itself before; as above, by REML.
CHILDREN = (
    (-1.802546732286, -0.173055812776, -1.712353509610),
    (1.22735627402, 1.54111923795, 1.26206537788),
    (-3.68795605467, 3.45455564324),
    -212.02227541135,
)


def related_outcomes(case="reml", patients=24):
    """Whole numbers by arithmetic alone: three outcomes, the arm, a covariate of each outcome, and one in common."""
    i = np.arange(patients)
    arm = i % 2
    own = np.stack([(7 * i + 3) % 11 + 5, (5 * i + 1) % 13 + 2, (3 * i * i + i) % 17], axis=1).astype(float)
    age = 20.0 + (11 * i) % 23
    noise = np.stack([(i * i + 2 * i) % 7, (i * i + 5) % 7 + (3 * i) % 5, (2 * i * i + i) % 7 + (i * i) % 5], axis=1)
    outcome = own // 2 + noise - 2 * arm[:, None] + (age // 6)[:, None]
    if case == "missing":
        outcome.ravel()[[1, 14, 30, 59]] = np.nan
    return outcome, arm, own, age
