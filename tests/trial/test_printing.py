import equipoise as eq
from protocols import edited

PROTOCOL = eq.gallery("ptsd-ketamine")


def test_a_plan_prints_its_rule_and_what_to_expect():
    text = str(eq.plan(PROTOCOL))
    for part in ("40 patients, looks at 30, 40", "2.340", "2.012", "power 0.9864", "31.0 patients expected"):
        assert part in text
    assert repr(eq.plan(PROTOCOL)) == text


def test_a_look_is_one_line():
    result = eq.run(PROTOCOL, seed=5)
    line = str(result.last_look)
    assert "\n" not in line
    for part in ("look 1", "2019-08-24", "29 of the 30 due", "z +4.261 against 2.340", "stop for efficacy"):
        assert part in line
    assert line in str(result)
    assert "bias-adjusted" in str(result)


def test_a_look_with_futility_or_a_failure_says_so():
    futile = edited(
        stopping={"alpha": 0.025, "sided": 1, "patients": [20, 40], "beta": 0.2, "futility": {"family": "pocock"}}
    )
    assert "(futility " in str(eq.run(futile, "no-effect", seed=1).looks[0])
    failing = edited(stopping={"alpha": 0.05, "sided": 2, "patients": [4, 40]})
    assert "not analysed: " in str(eq.run(failing, seed=1).looks[0])
