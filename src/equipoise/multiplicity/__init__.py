"""Several hypotheses in one trial: adjusted p-values, graphs of tests, and both at the looks of a sequential trial."""

from .adjust import METHODS, adjust_p_values
from .closure import SimesGraph
from .decisions import TestDecisions
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
    "Graph",
    "GraphStep",
    "PValueAdjustment",
    "Procedure",
    "SequentialTests",
    "SimesGraph",
    "TestDecisions",
    "adjust_p_values",
    "bonferroni_graph",
    "fallback_graph",
    "fixed_sequence_graph",
    "holm_graph",
    "parallel_gatekeeping_graph",
    "procedure_named",
]
