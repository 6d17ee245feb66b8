from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from rsconn.inference.estimators import adjust_holm


@pytest.mark.parametrize("seed", range(5))
def test_holm_equals_statsmodels(seed):
    p = np.random.default_rng(seed).uniform(size=8) ** 3
    np.testing.assert_allclose(adjust_holm(p), multipletests(p, method="holm")[1], rtol=1e-14)


def test_holm_of_the_published_example():
    """Holm's procedure as worked in R's documentation of p.adjust: monotone, capped at one."""
    np.testing.assert_allclose(adjust_holm([0.01, 0.02, 0.03, 0.04, 0.05]), [0.05, 0.08, 0.09, 0.09, 0.09])
    np.testing.assert_allclose(adjust_holm([0.9, 0.8]), [1.0, 1.0])


def test_untestable_claims_do_not_count():
    adjusted = adjust_holm([np.nan, 0.02, np.nan, 0.03])
    np.testing.assert_allclose(adjusted, [np.nan, 0.04, np.nan, 0.04])
    assert np.isnan(adjust_holm([np.nan, np.nan])).all()
    assert adjust_holm([]).size == 0


def test_ties_share_their_p():
    np.testing.assert_allclose(adjust_holm([0.01, 0.01, 0.01]), [0.03, 0.03, 0.03])
