"""Which volumes a run keeps."""

from __future__ import annotations

import numpy as np
import pytest

from rsconn.errors import RunError
from rsconn.signal.quality import compute_max_fd, compute_mean_fd, count_nonsteady, make_sample_mask

FD = np.array([np.nan, 0.1, 0.5, 0.51, 0.2, 3.0])
DVARS = np.array([np.nan, 1.0, 1.6, 1.0, 1.0, 1.0])


def keep(fd=FD, dvars=DVARS, **settings):
    settings = {"fd_threshold_mm": 0.5, **settings}
    return make_sample_mask(fd, dvars, **settings).astype(int).tolist()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [1, 1, 1, 0, 1, 0]),  # at the threshold is retained, and so is a first row of n/a
        ({"fd_threshold_mm": None}, [1, 1, 1, 1, 1, 1]),
        ({"dvars_threshold": 1.5}, [1, 1, 0, 0, 1, 0]),
        ({"n_nonsteady": 2}, [0, 0, 1, 0, 1, 0]),
        ({"fd_threshold_mm": None, "n_nonsteady": 1}, [0, 1, 1, 1, 1, 1]),
        ({"fd_threshold_mm": None, "fd": None, "dvars": None, "n_volumes": 3, "n_nonsteady": 1}, [0, 1, 1]),
    ],
)
def test_retained_volumes(settings, expected):
    assert keep(**settings) == expected


def test_the_mask_is_boolean():
    assert make_sample_mask(FD, None, fd_threshold_mm=0.5).dtype == bool


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fd": None}, "no column framewise_displacement; .*censoring.fd_threshold_mm: null"),
        ({"dvars": None, "dvars_threshold": 1.5}, "no column std_dvars; .*censoring.dvars_threshold: null"),
        (
            {"fd": np.array([np.nan, 0.1, np.nan, 0.2, 0.1, 0.1])},
            "framewise_displacement is n/a in 1 volumes after",
        ),
    ],
)
def test_censoring_by_what_is_not_there_is_refused(settings, message):
    with pytest.raises(RunError, match=message):
        keep(**settings)


def test_mean_fd_is_over_steady_state_before_censoring():
    assert compute_mean_fd(FD, 0) == pytest.approx((0.1 + 0.5 + 0.51 + 0.2 + 3.0) / 5)
    assert compute_mean_fd(FD, 2) == pytest.approx((0.5 + 0.51 + 0.2 + 3.0) / 4)
    assert compute_max_fd(FD, 2) == 3.0


def test_mean_fd_of_nothing_is_missing():
    assert np.isnan(compute_mean_fd(np.full(3, np.nan), 0))
    assert np.isnan(compute_max_fd(np.full(3, np.nan), 0))


def test_nonsteady_volumes_are_counted():
    names = ["csf", "non_steady_state_outlier00", "non_steady_state_outlier01"]
    values = np.column_stack([np.ones(5), np.eye(5)[0], np.eye(5)[1]])
    assert count_nonsteady(names, values) == 2
    assert count_nonsteady(names[:1], values[:, :1]) == 0


def test_nonsteady_volumes_later_on_are_refused():
    with pytest.raises(RunError, match="flag volume 3"):
        count_nonsteady(["non_steady_state_outlier00"], np.eye(5)[:, [3]])
