"""What is given in the wrong kind is refused in one sentence, wherever a simulation begins."""

from __future__ import annotations

import pytest

import equipoise as eq
from equipoise import InputError

PROTOCOL = eq.gallery("ptsd-ketamine")


@pytest.mark.parametrize("call", [eq.plan, eq.run, eq.simulate, eq.grid, lambda name: eq.analyse(name, None)])
def test_a_name_is_no_protocol(call):
    with pytest.raises(InputError, match=r"protocol is 'ptsd-ketamine'; expected a protocol, as eq.gallery"):
        call("ptsd-ketamine")


def test_what_is_no_trial_data():
    with pytest.raises(InputError, match=r"data is 3; expected trial data, as eq.read_data"):
        eq.analyse(PROTOCOL, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"engine": None}, "engine is None; expected 'serial'"),
        ({"engine": "serial", "workers": 2}, "workers is 2; expected 1"),
        ({"workers": "a"}, "workers is 'a'"),
        ({"folder": 3}, "folder is 3; expected the path"),
        ({"seed": 1.5}, "seed is 1.5; expected a whole number"),
        ({"seed": -1}, "seed is -1"),
        ({"trials": 2.5}, "trials is 2.5"),
        ({"trials": True}, "trials is True"),
        ({"corrected": "no"}, "corrected is 'no'; expected True or False"),
        ({"secondary": "response"}, "expected True, False, or a list of names"),
        ({"secondary": 3}, "expected True, False, or a list of names"),
        ({"secondary": ["respons"]}, "secondary is 'respons'; expected one of response"),
        ({"scenario": 3}, "scenario is 3; expected one of as-published"),
        ({"stream": 3}, "stream is 3; expected a name"),
        ({"precision": "x"}, "precision is 'x'"),
        ({"resume": True}, "folder is None; expected the folder to go on from"),
    ],
)
def test_arguments_of_simulate(given, words):
    with pytest.raises(InputError, match=words):
        eq.simulate(PROTOCOL, **({"trials": 10} | given))


@pytest.mark.parametrize("given", [{"seed": 1.5}, {"trial": "a"}, {"trial": True}, {"seed": -1}, {"trial": -1}])
def test_arguments_of_run(given):
    with pytest.raises(InputError, match=f"{next(iter(given))} is "):
        eq.run(PROTOCOL, **given)


@pytest.mark.parametrize("points", [[], [1, 2], "ab"])
def test_points_of_a_grid(points):
    with pytest.raises(InputError, match="at least one point of a grid"):
        eq.simulate_grid(points)
