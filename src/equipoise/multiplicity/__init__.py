"""Several hypotheses in one trial: adjusted p-values, graphs of tests, and both at the looks of a sequential trial."""

from .adjust import METHODS, adjust_p_values
from .closure import SimesGraph
from .decisions import FamilyDecisions
from .graph import Graph, GraphStep
from .procedure import Procedure, PValueAdjustment
from .ready_made import (
    PROCEDURES,
    bonferroni_graph,
    fallback_graph,
    fixed_sequence_graph,
    holm_graph,
    parallel_gatekeeping_graph,
    procedure_named,
)
from .sequential_tests import SequentialTests

__all__ = [
    "METHODS",
    "PROCEDURES",
    "FamilyDecisions",
    "Graph",
    "GraphStep",
    "PValueAdjustment",
    "Procedure",
    "SequentialTests",
    "SimesGraph",
    "adjust_p_values",
    "bonferroni_graph",
    "fallback_graph",
    "fixed_sequence_graph",
    "holm_graph",
    "parallel_gatekeeping_graph",
    "procedure_named",
]
