"""Graphical procedures in group-sequential trials that others have computed.

Numbers of graphicalMCP 0.3.0 (openpharma.github.io/graphicalMCP, article "group-sequential-testing" and the reference
page of `graph_test_shortcut_gsd`), given there to six digits; it integrates by Monte Carlo, with an error near 1e-6 in
a bound of two looks. Its `look_back` is our `statistics="all"`. The first is the example of Maurer & Bretz 2013,
section 4; the last three are an oncology trial of the gMCPLite package.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NONE = float("nan")

SUCCESSIVE = ((0.5, 0.5, 0, 0), ((0, 0.5, 0.5, 0), (0.5, 0, 0, 0.5), (0, 1, 0, 0), (1, 0, 0, 0)))
ONCOLOGY = (
    (0.4, 0.4, 0.16, 0, 0.02, 0.02),
    (
        (0, 1, 0, 0, 0, 0),
        (0, 0, 0.5, 0.5, 0, 0),
        (0, 0, 0, 1, 0, 0),
        (0, 0, 0, 0, 0.5, 0.5),
        (0, 0, 0, 0, 0, 1),
        (0.5, 0.5, 0, 0, 0, 0),
    ),
)
EVENTS = np.array(
    [
        [185 / 295, 529 / 800, 265 / 310, 675 / 750, 1, 1],
        [245 / 295, 700 / 800, 1, 1, NONE, NONE],
        [1, 1, NONE, NONE, NONE, NONE],
    ]
)
ONCOLOGY_P = np.array(
    [[0.03, 0.2, 0.2, 0.3, 0.00001, 0.1], [0.0001, 0.15, 0.001, 0.2, NONE, NONE], [0.000001, 0.1, *(NONE,) * 4]]
)
LOOKING_BACK_P = np.array(
    [[0.03, 0.003, 0.2, 0.0001, 0.0008, 0.1], [0.0001, 0.005, 0.001, 0.02, NONE, NONE], [0.000001, 0.1, *(NONE,) * 4]]
)

CASES: list[dict[str, Any]] = [
    {
        "id": "maurer-bretz-2013",
        "graph": SUCCESSIVE,
        "information": (1 / 3, 2 / 3),
        "p": [[0.0062, 0.017, 0.009, 0.13], [0.0002, 0.0035, 0.002, 0.06]],
        "statistics": "current",
        "adjusted": [0.004787, 0.022881, 0.023297, 0.128460],
        "rejected_at": [2, 2, 2, 0],
        "turn": ["H1", "H2", "H3"],
        "repeated": [[0.1141, 0.1682, 0.1315, 0.3820], [0.0024, 0.0172, 0.0116, 0.1285]],
    },
    {
        "id": "two-looks",
        "graph": ((0.5, 0.5), ((0, 1), (1, 0))),
        "information": (0.5, 1.0),
        "p": [[0.024, 0.015], [0.01, 0.005]],
        "statistics": "current",
        "adjusted": [0.010094, 0.010051],
        "rejected_at": [2, 2],
        "turn": ["H2", "H1"],
    },
    {
        "id": "two-spending-functions",
        "graph": ((0.5, 0.5), ((0, 1), (1, 0))),
        "information": (0.5, 1.0),
        "p": [[0.024, 0.015], [0.01, 0.005]],
        "statistics": "current",
        "pocock": [1],
        "adjusted": [0.019426, 0.019426],
        "rejected_at": [2, 2],
        "turn": ["H2", "H1"],
    },
    {
        "id": "two-information-fractions",
        "graph": ((0.5, 0.5), ((0, 1), (1, 0))),
        "information": [[0.5, 0.6], [1, 1]],
        "p": [[0.024, 0.015], [0.01, 0.005]],
        "statistics": "current",
        "adjusted": [0.010202, 0.010202],
        "rejected_at": [2, 2],
        "turn": ["H2", "H1"],
    },
    {
        "id": "four-at-different-looks",
        "graph": ((0.25,) * 4, tuple(tuple(0.0 if i == j else 1 / 3 for j in range(4)) for i in range(4))),
        "information": [[0.5, 1 / 3, NONE, 0.4], [1, 2 / 3, 0.5, NONE], [NONE, 1, 1, 1]],
        "p": [[0.024, 0.015, NONE, 0.05], [0.01, 0.005, 0.012, NONE], [NONE, 0.001, 0.004, 0.015]],
        "statistics": "current",
        "adjusted": [0.040376, 0.004075, 0.012051, 0.030085],
        "rejected_at": [0, 3, 3, 0],
        "turn": ["H2", "H3"],
    },
    {
        "id": "oncology",
        "graph": ONCOLOGY,
        "information": EVENTS,
        "p": ONCOLOGY_P,
        "statistics": "all",
        "adjusted": [0.001002, 0.168457, 0.007067, 0.263797, 0.000508, 0.263797],
        "rejected_at": [2, 0, 2, 0, 1, 0],
        "turn": ["H5", "H1", "H3"],
        "sequential": [
            [0.085703, 0.297355, 0.236061, 0.325486, 0.000010, 0.1],
            [0.000401, 0.214026, 0.001131, 0.253245, 0.000010, 0.1],
            [0.000001, 0.134765, 0.001131, 0.253245, 0.000010, 0.1],
        ],
        # by look and hypothesis, with its share of alpha by then; at the third look graphicalMCP has 0.015986, R's
        # mvtnorm 1.1-3 without Monte Carlo (TVPACK) 0.015967821175
        "p_at_bound": {(2, 1): 0.004348, (2, 3): 0.003449, (2, 2): 0.011598, (2, 4): 0.003307, (3, 2): 0.015968},
    },
    {
        "id": "oncology-not-looking-back",
        "graph": ONCOLOGY,
        "information": EVENTS,
        "p": LOOKING_BACK_P,
        "statistics": "current",
        "adjusted": [0.001002, 0.011630, 0.007067, 0.025992, 0.039524, 0.227273],
        "rejected_at": [2, 2, 2, 0, 0, 0],
        "turn": ["H1", "H3", "H2"],
        "p_at_bound": {(2, 1): 0.004348, (2, 3): 0.003449, (2, 2): 0.011598, (2, 4): 0.019248, (1, 3): 0.001852},
    },
    {
        "id": "oncology-looking-back",
        "graph": ONCOLOGY,
        "information": EVENTS,
        "p": LOOKING_BACK_P,
        "statistics": "all",
        "adjusted": [0.001002, 0.011630, 0.007067, 0.007067, 0.008000, 0.1],
        "rejected_at": [2, 2, 2, 2, 2, 0],
        "turn": ["H1", "H3", "H4", "H5", "H2"],
    },
]
