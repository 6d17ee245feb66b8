import pandas as pd
import pytest

from rsconn.errors import TableError
from rsconn.study.people.same_people import check_same_edges


def make_edges(*people):
    rows = [(*key, edge, z) for key, values in people for edge, z in zip(("A-B", "A-C"), values, strict=True)]
    return pd.DataFrame(rows, columns=["participant_id", "session", "edge", "z"])


def test_equal_edges_name_both_people():
    one, two = (("sub-00", None), (0.1, 0.25)), (("sub-01", None), (0.1, 0.3))
    check_same_edges(make_edges(one, two))
    with pytest.raises(TableError, match="sub-00 and sub-20 have the same edges to the last digit"):
        check_same_edges(make_edges(one, two, (("sub-20", None), (0.1, 0.25))))
    with pytest.raises(TableError, match="sub-00 ses-1 and sub-01 ses-2 have the same edges"):
        check_same_edges(make_edges((("sub-00", "1"), (0.1, 0.25)), (("sub-01", "2"), (0.1, 0.25))))
    # the check tells of these before any job
    check_same_edges(make_edges((("sub-00", "1"), (0.1, 0.25)), (("sub-00", "2"), (0.1, 0.25))))


def test_people_without_an_edge_are_nobodys_twin():
    nothing = (float("nan"), 0.0)
    check_same_edges(make_edges((("sub-00", None), nothing), (("sub-01", None), nothing)))
