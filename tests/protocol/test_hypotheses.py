"""Names of hypotheses: an endpoint, or one of the clusters that a clusters endpoint compares."""

import pytest

from equipoise import InputError
from equipoise.protocol.testing import hypothesis_name
from protocols import edited, plain_table

CLUSTERS = {"name": "symptoms", "type": "clusters", "visit": "week2", "clusters": ["B", "E"]}
PROTOCOL = edited(endpoints=[*plain_table()["endpoints"], CLUSTERS])


def test_each_name_is_of_its_endpoint_and_cluster():
    found = {}
    for endpoint in PROTOCOL.endpoints:
        for cluster in ("", *endpoint.clusters_of(PROTOCOL)):
            name = hypothesis_name(endpoint.name, cluster)
            found[name] = cluster
            assert PROTOCOL.hypothesis(name) == (endpoint, cluster)
    assert [name for name, cluster in found.items() if cluster] == ["symptoms: B", "symptoms: E"]


@pytest.mark.parametrize("name", ["symptoms: C", "response: B", "symptoms:B", "sleep"])
def test_other_names_are_none(name):
    with pytest.raises(InputError, match="the name of an endpoint"):
        PROTOCOL.hypothesis(name)


def test_a_clusters_endpoint_without_names_has_all_of_the_scale():
    protocol = edited(endpoints=[*plain_table()["endpoints"], CLUSTERS | {"clusters": []}])
    assert protocol.endpoint("symptoms").clusters_of(protocol) == tuple(protocol.scale.subscales)
