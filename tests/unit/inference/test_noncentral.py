from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rsconn.inference.noncentral import compute_noncentral_cdf


@pytest.mark.parametrize("dof", [1, 2, 7, 34, 142, 5000])
@pytest.mark.parametrize("noncentrality", [-3.0, 0.0, 0.4, 2.8, 12.0])
def test_cdf_equals_scipy_where_scipy_has_a_value(dof, noncentrality):
    for t in (-5.0, -0.7, 0.0, 1.3, 4.4, 40.0):
        expected = stats.nct.cdf(t, dof, noncentrality) if noncentrality else stats.t.cdf(t, dof)
        if np.isfinite(expected):
            np.testing.assert_allclose(
                compute_noncentral_cdf(t, dof, noncentrality), expected, rtol=1e-9, atol=1e-12
            )


def test_cdf_at_a_critical_value_of_one_degree_of_freedom():
    critical = stats.t.ppf(1 - 0.0005, 1)
    np.testing.assert_allclose(compute_noncentral_cdf(-critical, 1, 0.0), 0.0005, rtol=1e-10)


def test_far_tails_are_numbers():
    grid = [compute_noncentral_cdf(-3.6, dof, nc) for dof in (1, 20, 5000) for nc in np.arange(-60, 20, 0.37)]
    assert np.isfinite(grid).all()
    assert (np.diff(np.reshape(grid, (3, -1)), axis=1) <= 1e-12).all()
