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

# Jennison & Turnbull 2000, tables 2.1 and 2.3: constants of two-sided tests with K equally spaced looks.
POCOCK = {
    0.01: {2: 2.772, 3: 2.873, 4: 2.939, 5: 2.986, 10: 3.117},
    0.05: {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 10: 2.555},
    0.10: {2: 1.875, 3: 1.992, 4: 2.067, 5: 2.122, 10: 2.270},
}
OBRIEN_FLEMING = {
    0.01: {2: 2.580, 3: 2.595, 4: 2.609, 5: 2.621, 10: 2.660},
    0.05: {2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040, 10: 2.087},
    0.10: {2: 1.678, 3: 1.710, 4: 1.733, 5: 1.751, 10: 1.801},
}
# Tables 2.2 and 2.4: maximum sample size relative to the fixed test, alpha 0.05 two-sided, by power.
POCOCK_INFLATION = {0.8: {2: 1.110, 3: 1.166, 4: 1.202, 5: 1.229}, 0.9: {2: 1.100, 3: 1.151, 4: 1.183, 5: 1.207}}
OBRIEN_FLEMING_INFLATION = {
    0.8: {2: 1.008, 3: 1.017, 4: 1.024, 5: 1.028, 10: 1.040},
    0.9: {2: 1.007, 3: 1.016, 4: 1.022, 5: 1.026, 10: 1.037},
}
# Table 2.9: Wang & Tsiatis, alpha 0.05, by delta.
WANG_TSIATIS = {0.1: {2: 1.994, 3: 2.026, 4: 2.050, 5: 2.068}, 0.25: {2: 2.038, 3: 2.083, 4: 2.113, 5: 2.136}}
