"""Group-sequential rules: when to stop on z-values and information, and what may be claimed afterwards."""

from .bounds import Boundaries
from .combination import InverseNormal
from .conclusion import Conclusion
from .conditional import Given
from .conditional_error import Adaptation, AdaptedConclusion, adapt
from .decision import Decision, decide
from .delayed import DelayedResponse
from .delayed_conclusion import DelayedConclusion
from .delayed_region import DelayedOutcomes
from .design import GroupSequential
from .effects import effect_text
from .estimate_table import EffectEstimate, EstimateTable
from .estimators import (
    ESTIMATORS,
    BiasAdjusted,
    ConditionalLikelihood,
    ConditionalMedian,
    DriftEstimate,
    Estimator,
    MaximumLikelihood,
    MedianUnbiased,
    Unbiased,
    estimates,
)
from .exit_probabilities import ExitProbabilities, LaterStops
from .families import BoundaryFamily, HaybittlePeto, OBrienFleming, Pocock, WangTsiatis
from .fisher import FisherCombination
from .fixed import FixedBounds
from .futility_scales import SCALES, on_scale, z_bound
from .monitoring import Monitoring
from .orderings import LikelihoodRatio, Ordering, SampleMean, ScoreTest, StageWise
from .overrun import Overrun, overrunning
from .paths import PathDecisions
from .priors import DiscretePrior, NormalPrior
from .promising_zone import PromisingZone, Zone, adjusted_final_bound
from .properties import EstimatorProperties, StopProperties, coverage, estimator_properties, probability_above
from .reestimation import Reestimation, reestimate
from .region import Exits, Region
from .rules import RULES, parameters_of, stopping_rule
from .secondary import SecondaryEstimates, secondary_estimates
from .secondary_many import SecondaryConclusions
from .spending import (
    HwangShihDeCaniSpending,
    NoEarlyStopping,
    OBrienFlemingSpending,
    PocockSpending,
    PowerSpending,
    SpendingFunction,
    UserSpending,
)
from .stages import StageTest, stage_estimates
from .stagewise import CombinationConclusion, CombinationTest

__all__ = [
    "ESTIMATORS",
    "RULES",
    "SCALES",
    "Adaptation",
    "AdaptedConclusion",
    "BiasAdjusted",
    "Boundaries",
    "BoundaryFamily",
    "CombinationConclusion",
    "CombinationTest",
    "Conclusion",
    "ConditionalLikelihood",
    "ConditionalMedian",
    "Decision",
    "DelayedConclusion",
    "DelayedOutcomes",
    "DelayedResponse",
    "DiscretePrior",
    "DriftEstimate",
    "EffectEstimate",
    "EstimateTable",
    "Estimator",
    "EstimatorProperties",
    "ExitProbabilities",
    "Exits",
    "FisherCombination",
    "FixedBounds",
    "Given",
    "GroupSequential",
    "HaybittlePeto",
    "HwangShihDeCaniSpending",
    "InverseNormal",
    "LaterStops",
    "LikelihoodRatio",
    "MaximumLikelihood",
    "MedianUnbiased",
    "Monitoring",
    "NoEarlyStopping",
    "NormalPrior",
    "OBrienFleming",
    "OBrienFlemingSpending",
    "Ordering",
    "Overrun",
    "PathDecisions",
    "Pocock",
    "PocockSpending",
    "PowerSpending",
    "PromisingZone",
    "Reestimation",
    "Region",
    "SampleMean",
    "ScoreTest",
    "SecondaryConclusions",
    "SecondaryEstimates",
    "SpendingFunction",
    "StageTest",
    "StageWise",
    "StopProperties",
    "Unbiased",
    "UserSpending",
    "WangTsiatis",
    "Zone",
    "adapt",
    "adjusted_final_bound",
    "coverage",
    "decide",
    "effect_text",
    "estimates",
    "estimator_properties",
    "on_scale",
    "overrunning",
    "parameters_of",
    "probability_above",
    "reestimate",
    "secondary_estimates",
    "stage_estimates",
    "stopping_rule",
    "z_bound",
]
