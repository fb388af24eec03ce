import pytest

from equipoise import InputError, gallery, plan
from equipoise.simulation import Design, design_of, grid

PROTOCOL = gallery("ptsd-ketamine")


@pytest.mark.parametrize(
    ("text", "label", "stopping"),
    [
        ("obf: efficacy=obrien-fleming; fractions=0.5,1", "obf",
         {"efficacy": {"family": "obrien-fleming"}, "fractions": [0.5, 1.0]}),
        ("efficacy=power:3", "efficacy=power:3", {"efficacy": {"family": "power", "rho": 3.0}}),
        ("wt: efficacy=wang-tsiatis:0.25", "wt", {"efficacy": {"family": "wang-tsiatis", "delta": 0.25}}),
        ("hp: efficacy=haybittle-peto", "hp", {"efficacy": {"family": "haybittle-peto", "bound": 3.0}}),
        ("x: efficacy=fixed:0.001/0.01@p-value", "x",
         {"efficacy": {"family": "fixed", "values": [0.001, 0.01], "scale": "p-value"}}),
        ("x: efficacy=user:0.2/1", "x", {"efficacy": {"family": "user", "cumulative": [0.2, 1.0]}}),
        ("as planned", "as planned", {}),
        ("as planned:", "as planned", {}),
        ("x: patients=20,40; alpha=0.1; sided=1; beta=0.2", "x",
         {"patients": [20, 40], "alpha": 0.1, "sided": 1, "beta": 0.2}),
        ("x: futility=none", "x", {"futility": None}),
    ],
)  # fmt: skip
def test_designs_are_read_as_the_command_line_writes_rules(text, label, stopping):
    found = design_of(text)
    assert (found.label, found.stopping) == (label, stopping)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "LABEL: KEY=VALUE"),
        (":", "LABEL: KEY=VALUE"),
        ("x: efficacy", "LABEL: KEY=VALUE"),
        ("x: efficacy=nope", "efficacy to be one of obrien-fleming"),
        ("x: efficacy=power", "efficacy to be power:RHO"),
        ("x: efficacy=power:a", "efficacy to be one number, rho"),
        ("x: looks=0.5,1", "'looks' is none"),
        ("x: alpha=0.1; alpha=0.2", "alpha once"),
        ("x: fractions=a", "numbers separated by ','"),
        ("x: sided=two", "sided to be 1 or 2"),
        ("x: binding=yes", "true or false"),
        ("x: fractions=0.5,1; patients=20,40", "one of 'fractions', 'patients' and 'events'"),
        ("x: fractions=0.5", "the last information fraction to be 1"),
        ("x: patients=20,30", "at all 40 patients"),
        ("x: sided=3", "expected 1 or 2"),
        ("x: futility=pocock", "'beta' is missing"),
        ("x: binding=true", "'futility' as well as 'binding'"),
        ("x: efficacy=fixed:none/2; fractions=0.5,1", "expected a valid number"),
    ],
)
def test_designs_that_cannot_be_are_refused_in_one_sentence(text, message):
    with pytest.raises(InputError, match=message) as caught:
        grid(PROTOCOL, designs=[text])
    assert caught.value.field == "designs"
    assert "\n" not in str(caught.value)


def test_labels_must_differ():
    with pytest.raises(InputError, match="stands twice"):
        grid(PROTOCOL, designs=["a: alpha=0.1", "a: alpha=0.2"])


def test_designs_change_the_stopping_rule_and_nothing_else():
    texts = ["as planned", "pocock: efficacy=pocock; fractions=0.5,1", "fixed: fractions=1",
             "f: futility=pocock; beta=0.2; binding=true; sided=1; alpha=0.025; patients=15,30,40"]  # fmt: skip
    own, pocock, fixed, futility = grid(PROTOCOL, designs=texts)
    assert own.protocol.hash == PROTOCOL.hash
    assert plan(pocock.protocol).units_per_look == (20, 40)
    assert plan(pocock.protocol).design.efficacy_bounds[0] == pytest.approx(2.157, abs=1e-3)
    assert plan(fixed.protocol).design.looks == 1
    assert plan(futility.protocol).design.futility_bounds is not None
    assert futility.protocol.stopping.futility.binding
    kept = {"stopping"}
    for point in (pocock, fixed, futility):
        assert point.protocol.model_dump(exclude=kept) == PROTOCOL.model_dump(exclude=kept)
    assert {point.scenario for point in (own, pocock, fixed, futility)} == {"as-published"}


def test_designs_are_crossed_with_values():
    points = grid(PROTOCOL, vary=["patients=40,80", "effect=0,1"], designs=["own", Design("p", {"patients": [20, 40]})])
    assert [str(point) for point in points[:3]] == [
        "own, patients 40, effect 0", "own, patients 40, effect 1", "own, patients 80, effect 0",
    ]  # fmt: skip
    assert len(points) == 8
    assert plan(points[-1].protocol).units_per_look == (40, 80)
    assert {point.design for point in points} == {"own", "p"}
