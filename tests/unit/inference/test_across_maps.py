"""Several maps as one family against the smallest p by brute force, the observed one among the null."""

from __future__ import annotations

import numpy as np
import pytest

from rsconn.inference.across_maps import combine_null_p, compute_across_p, find_level

B = 99


def pool_brutally(statistics: np.ndarray) -> np.ndarray:
    """Smallest p of each draw (the observed one first) over maps; statistics (n_maps, B + 1)."""
    p = [[(row >= value).mean() for value in row] for row in statistics]
    return np.min(p, axis=0)


@pytest.fixture(params=range(6))
def statistics(request):
    rng = np.random.default_rng(request.param)
    shared = rng.gamma(3, size=B + 1)
    drawn = np.array([shared + scale * rng.gamma(3, size=B + 1) for scale in (0.1, 1.0, 10.0)])
    drawn[:, 0] += [0, 2.0, 25.0]
    return drawn


def test_family_wise_p_equals_brute_force(statistics):
    p = [(row >= row[0]).mean() for row in statistics]
    smallest = combine_null_p(list(statistics[:, 1:]), p)
    pooled = pool_brutally(statistics)
    for each in p:
        assert compute_across_p(each, smallest) == pytest.approx(
            (pooled[1:] <= each).sum() / (B + 1) + 1 / (B + 1)
        )


def test_level_is_the_largest_p_that_passes(statistics):
    p = [(row >= row[0]).mean() for row in statistics]
    smallest = combine_null_p(list(statistics[:, 1:]), p)
    level = find_level(smallest, 0.05)
    assert 0.05 / 4 < level < 0.056
    assert compute_across_p(level, smallest) <= 0.05 < compute_across_p(level + 1 / (B + 1), smallest)


def test_one_map_keeps_its_p_and_more_find_no_more_than_five_percent():
    rng, hits = np.random.default_rng(3), 0
    for _ in range(400):
        drawn = np.exp(rng.normal(size=(4, B + 1)) + rng.normal(size=B + 1))
        p = [(row >= row[0]).mean() for row in drawn]
        assert compute_across_p(p[0], combine_null_p([drawn[0, 1:]], [p[0]])) == pytest.approx(p[0])
        hits += compute_across_p(min(p), combine_null_p(list(drawn[:, 1:]), p)) <= 0.05
    assert 6 <= hits <= 36  # 20 expected


def test_nothing_passes_where_few_draws_cannot_say(statistics):
    assert find_level(combine_null_p([np.arange(9.0)], [0.1]), 0.05) == 0
