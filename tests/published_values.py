"""Numbers printed by others."""

import numpy as np

# Newcombe (1998, Stat Med 17:873), table 2, method 10: (events1, n1, events2, n2), lower, upper limit at 95 %.
NEWCOMBE_1998_TABLE_2 = [
    ((56, 70, 48, 80), 0.0524, 0.3339),
    ((9, 10, 3, 10), 0.1705, 0.8090),
    ((6, 7, 2, 7), 0.0582, 0.8062),
    ((5, 56, 0, 29), -0.0381, 0.1926),
    ((0, 10, 0, 20), -0.1611, 0.2775),
    ((0, 10, 0, 10), -0.2775, 0.2775),
    ((10, 10, 0, 20), 0.6791, 1.0000),
    ((10, 10, 0, 10), 0.6075, 1.0000),
]

# Readings of SiRstv, NIST Statistical Reference Datasets, analysis of variance: five instruments.
NIST_SIRSTV = np.array(
    [
        [196.3052, 196.1240, 196.1890, 196.2569, 196.3403],
        [196.3042, 196.3825, 196.1669, 196.3257, 196.0422],
        [196.1303, 196.2005, 196.2889, 196.0343, 196.1811],
        [196.2795, 196.1748, 196.1494, 196.1485, 195.9885],
        [196.2119, 196.1051, 196.1850, 196.0052, 196.2090],
    ]
)

# KaplanMeierFitter.median_survival_time_ of lifelines 0.30.3 on data sets of R (survival::veteran, quantreg::uis).
LIFELINES_MEDIANS = {"veteran, test arm": 52.0, "uis, long programme": 200.0}
