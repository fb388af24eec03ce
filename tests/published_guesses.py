"""Tables of guesses with the indices that others have, or that the published formulas give by hand.

Rows are the arms, control first; columns guessed control, guessed experimental, don't know. CRISP is table 7 of Bang,
Ni & Davis 2004; the second Houweling 2014 (patients); the third the self-blinding microdose trial (Szigeti 2021), all
its subjects and times; the fourth the example of the R package BI 1.2.0 and of BlindingIndex.jl, to the digits printed.
"""

from __future__ import annotations

TABLES = [
    {
        "id": "crisp",
        "table": [[29, 27, 83], [25, 82, 170]],
        "bang": [(0.0144, 0.0538), (0.2058, 0.0352)],
        "james": (0.7479, 0.0217),
        "digits": 4,
    },
    {
        "id": "houweling",
        "table": [[57, 104, 175], [14, 143, 188]],
        "bang": [(-0.1399, 0.0370), (0.3739, 0.0302)],
        "james": (0.7051, 0.0159),
        "digits": 4,
    },
    {
        "id": "microdose",
        "table": [[147, 95, 0], [81, 139, 0]],
        "bang": [(0.2149, 0.0628), (0.2636, 0.0650)],
        "james": (0.3807, 0.0225),
        "digits": 4,
    },
    {
        "id": "package-bi",
        "table": [[30, 22, 319], [4, 48, 330]],
        "bang": [(0.022, 0.019), (0.115, 0.018)],
        "james": (0.896, 0.011),
        "digits": 3,
    },
]
