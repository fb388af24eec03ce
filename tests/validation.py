"""docs/validation.md: the published and validated numbers that this package reproduces.

`python tests/validation.py` writes the page anew; test_validation.py holds the committed page to it.
"""

from __future__ import annotations

from pathlib import Path

from validation_adaptive import adaptive, delayed_response
from validation_binary import two_by_two_tables
from validation_bounds import stopping_bounds
from validation_contrasts import means_and_contrasts
from validation_disagreements import disagreements
from validation_durations import adverse_events, durability
from validation_endpoints import covariance_analysis, mixed_model, proportions, survival
from validation_guesses import guesses
from validation_monitoring import while_it_runs
from validation_multiplicity import multiplicity
from validation_planning import sample_size
from validation_ranks import rank_methods
from validation_real_trials import real_trials
from validation_regressions import regressions
from validation_sequential import after_stopping, flagship
from validation_survival import hazards
from validation_table import Section

PAGE = Path(__file__).parents[1] / "docs" / "validation.md"
COMMAND = "python tests/validation.py"
HEAD = f"""# Validation

Numbers that others computed or published, and what Equipoise gives for them. This page is generated from the tests'
reference values by `{COMMAND}`; a test fails when page and code no longer agree. The references lie in
`tests/reference` and come from R 4.2.2 with rpact 4.5.0.9315 (a development snapshot), gsDesign 3.11.0.9003, mmrm
0.3.18, emmeans 1.8.4.1, survival 3.5.3 and survRM2 1.0-4; those of delayed responses from the unit tests of rpact and
DelayedGSD.

A difference is given as the next higher power of ten of the largest in its row. Below a floor (1e−12; 1e−9 to 1e−11
where numbers are found by iteration) differences are not told apart, so that the page reads the same on every
machine."""


def sections() -> list[Section]:
    parts = (
        flagship,
        stopping_bounds,
        while_it_runs,
        after_stopping,
        sample_size,
        adaptive,
        delayed_response,
        mixed_model,
        proportions,
        two_by_two_tables,
        survival,
        hazards,
        covariance_analysis,
        means_and_contrasts,
        rank_methods,
        regressions,
        durability,
        adverse_events,
        guesses,
        multiplicity,
        real_trials,
        disagreements,
    )
    return [part() for part in parts]


def page() -> str:
    """The whole page as Markdown."""
    return "\n\n".join([HEAD, *map(str, sections())]) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.name}")
