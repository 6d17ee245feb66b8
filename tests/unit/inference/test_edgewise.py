"""Every edge at once: t, the largest |t|, discovery rates and components against plain loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from rsconn.inference.edgewise import EdgewiseTest, compare_edges, draw_arrangements

N_ROIS, N_FLIPS = 7, 199
PAIRS = np.array(list(combinations(range(N_ROIS), 2)))


@pytest.fixture
def study() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    tested = np.repeat([1.0, 0.0], [9, 11])
    nuisance = np.column_stack([np.ones(20), rng.normal(40, 9, 20)])
    values = rng.normal(0, 0.3, (20, len(PAIRS)))
    values[:9, :4] += 0.6
    values[:9, 9] -= 0.7
    return values, tested, nuisance


def fit(values: np.ndarray, tested: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
    """Return classical t of every column, by lstsq."""
    design = np.column_stack([tested, nuisance])
    coefficients, *_ = np.linalg.lstsq(design, values, rcond=None)
    rest = values - design @ coefficients
    variance = (rest**2).sum(axis=0) / (len(values) - design.shape[1])
    return coefficients[0] / np.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0])


def join(t: np.ndarray, threshold: float) -> list[tuple[int, float]]:
    """Return extent and intensity of every component, by walking from edge to edge."""
    found = []
    for sign in (1, -1):
        left = {edge for edge in range(len(t)) if sign * t[edge] > threshold}
        while left:
            members, new = set(), {left.pop()}
            while new:
                members |= new
                reached = {region for edge in new for region in PAIRS[edge]}
                new = {edge for edge in left if reached & set(PAIRS[edge])}
                left -= new
            found.append((len(members), float(sum(abs(t[edge]) - threshold for edge in members))))
    return found


def test_it_equals_a_plain_loop_over_flips(study: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, tested, nuisance = study
    signs = draw_arrangements(20, "signs", N_FLIPS, 3, blocks=None, units=None)
    test = compare_edges(values, PAIRS, tested, nuisance, signs, "signs", forming_p=0.05)
    observed = fit(values, tested, nuisance)
    assert np.allclose(test.t, observed, atol=1e-10)
    fitted = nuisance @ np.linalg.lstsq(nuisance, values, rcond=None)[0]
    largest, sizes, intensities = [], [], []
    for row in signs:
        null = fit(row[:, None] * (values - fitted), tested, nuisance)
        components = join(null, test.threshold) or [(0, 0.0)]
        largest.append(np.abs(null).max())
        sizes.append(max(size for size, _ in components))
        intensities.append(max(intensity for _, intensity in components))
    assert np.allclose(test.null_t, largest, atol=1e-9)
    assert test.null_size.tolist() == sizes
    assert np.allclose(test.null_intensity, intensities, atol=1e-9)
    expected = [(1 + sum(value >= abs(t) - 1e-9 for value in largest)) / (N_FLIPS + 1) for t in observed]
    assert np.allclose(test.p_fwe, expected)
    own = sorted(join(observed, test.threshold), key=lambda each: -each[1])
    assert [(size, pytest.approx(intensity)) for size, intensity in own] == list(
        zip(test.sizes.tolist(), test.intensities.tolist(), strict=True)
    )
    assert test.size_p[0] == (1 + sum(size >= own[0][0] for size in sizes)) / (N_FLIPS + 1)


def test_discovery_rates_are_those_of_statsmodels(study: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    test = run(study)
    dof = 20 - 3
    assert np.allclose(test.p, 2 * stats.t.sf(np.abs(test.t), dof))
    for found, method in ((test.q_bh, "fdr_bh"), (test.q_by, "fdr_by")):
        assert np.allclose(found, multipletests(test.p, method=method)[1])


def test_edges_that_people_lack_are_tested_on_the_others(
    study: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    values, tested, nuisance = study
    values[[0, 12], 5] = np.nan
    values[:9, 6] = np.nan
    test = run((values, tested, nuisance))
    present = np.isfinite(values[:, 5])
    assert test.t[5] == pytest.approx(fit(values[present][:, [5]], tested[present], nuisance[present])[0])
    assert test.dof[5] == 15
    assert np.isnan([test.t[6], test.p[6], test.p_fwe[6], test.q_bh[6]]).all()
    assert test.component[6] == 0
    assert np.isfinite(np.delete(test.p_fwe, 6)).all()


@pytest.mark.parametrize("exchange", ["signs", "orders"])
def test_the_order_of_regions_and_their_scale_do_not_matter(
    study: tuple[np.ndarray, np.ndarray, np.ndarray], exchange: str
) -> None:
    values, tested, nuisance = study
    order = np.random.default_rng(2).permutation(len(PAIRS))
    arrangements = draw_arrangements(20, exchange, 99, 1, blocks=None, units=None)  # type: ignore[arg-type]
    one = compare_edges(values, PAIRS, tested, nuisance, arrangements, exchange)  # type: ignore[arg-type]
    other = compare_edges(
        7 * values[:, order],
        PAIRS[order],
        tested,
        nuisance,
        arrangements,
        exchange,  # type: ignore[arg-type]
    )
    assert np.allclose(one.t[order], other.t)
    assert np.allclose(one.p_fwe[order], other.p_fwe)
    assert sorted(one.sizes) == sorted(other.sizes)


def run(study: tuple[np.ndarray, np.ndarray, np.ndarray]) -> EdgewiseTest:
    signs = draw_arrangements(20, "signs", 99, 1, blocks=None, units=None)
    return compare_edges(study[0], PAIRS, study[1], study[2], signs, "signs", forming_p=0.05)
