"""Rating scales as published."""

from __future__ import annotations

import pytest

from equipoise.protocol import scales


@pytest.mark.parametrize(
    ("name", "items", "maximum"),
    [
        ("CAPS-5", 20, 80),
        ("PCL-5", 20, 80),
        ("MADRS", 10, 60),
        ("HAM-D-17", 17, 52),
        ("BDI-II", 21, 63),
        ("IES-R", 22, 88),
        ("CADSS", 23, 92),
    ],
)
def test_range(name, items, maximum):
    scale = scales()[name]
    assert (scale.items, scale.minimum, scale.maximum, scale.better) == (items, 0, maximum, "lower")
    assert scale.title
    assert scale.source
    assert scale.rater in ("clinician", "patient")


@pytest.mark.parametrize("name", ["CAPS-5", "PCL-5"])
def test_clusters_of_dsm_5(name):
    scale = scales()[name]
    assert {key: len(part.items) for key, part in scale.subscales.items()} == {"B": 5, "C": 2, "D": 7, "E": 6}
    assert [item for part in scale.subscales.values() for item in part.items] == list(range(1, 21))
    assert [scale.subscale_range(key)[1] for key in "BCDE"] == [20, 8, 28, 24]


@pytest.mark.parametrize("name", sorted(scales()))
def test_subscales_share_out_the_items_exactly(name):
    scale = scales()[name]
    items = sorted(item for part in scale.subscales.values() for item in part.items)
    assert items in ([], list(range(1, scale.items + 1)))
    if items:
        assert sum(scale.subscale_range(key)[1] for key in scale.subscales) == scale.maximum
