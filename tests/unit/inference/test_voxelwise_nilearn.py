"""Maps under permutation against nilearn: the same permutations give the same maxima, others similar p."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols
from scipy import ndimage

from rsconn.inference.clusters import find_neighbours
from rsconn.inference.voxelwise import apply_arrangements, permute_maps

# nilearn makes images of its own whole numbers and warns of them
pytestmark = pytest.mark.filterwarnings("ignore:Data array used to create a new image:UserWarning")
SHAPE, N, COUNT = (9, 8, 7), 20, 60


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(2)
    noise = ndimage.gaussian_filter(rng.normal(size=(N, *SHAPE)), (0, 0.8, 0.8, 0.8))
    group = np.repeat([1.0, 0.0], N // 2)
    noise[:10, 2:5, 2:5, 2:5] += 0.55
    covariates = rng.normal(size=(N, 2)) + 0.3 * group[:, None]
    # nilearn's masker counts voxels in C order
    return noise.reshape(N, -1), group, covariates


@pytest.fixture(scope="module")
def neighbours():
    """In C order: the grid turned round."""
    return find_neighbours(np.arange(int(np.prod(SHAPE))), SHAPE[::-1])


@pytest.fixture(scope="module")
def masker():
    mask = nibabel.Nifti1Image(np.ones(SHAPE, np.uint8), np.eye(4))
    return NiftiMasker(mask, standardize=None).fit()


@pytest.fixture(scope="module")
def theirs(study, masker):
    maps, group, covariates = study
    return permuted_ols(
        group, maps, covariates, n_perm=COUNT, random_state=7, masker=masker, tfce=True, threshold=0.01
    )


@pytest.fixture(scope="module")
def nilearn_orders():
    """The orders that permuted_ols draws: each shuffle of the design follows on the one before."""
    seed = np.random.RandomState(7).randint(1, np.iinfo(np.int32).max - 1)
    rng, current, orders = np.random.RandomState(seed), np.arange(N), []
    for _ in range(COUNT):
        current = current[rng.permutation(N)]
        orders.append(np.argsort(current))
    return np.array(orders)


@pytest.fixture(scope="module")
def ours(study, neighbours, nilearn_orders):
    maps, group, covariates = study
    nuisance = np.column_stack([np.ones(N), covariates])
    return apply_arrangements(maps, group, nuisance, neighbours, nilearn_orders, cluster_forming_p=0.01)


def test_t_equals_permuted_ols(ours, theirs):
    np.testing.assert_allclose(ours.t, theirs["t"][0], rtol=1e-6, atol=1e-6)


def test_maxima_equal_those_of_permuted_ols(ours, theirs):
    np.testing.assert_allclose(ours.null.t, theirs["h0_max_t"][0], rtol=1e-6)
    np.testing.assert_array_equal(ours.null.size, theirs["h0_max_size"][0])
    np.testing.assert_allclose(ours.null.mass, theirs["h0_max_mass"][0], rtol=1e-5)
    np.testing.assert_allclose(ours.null.tfce, theirs["h0_max_tfce"][0], rtol=2e-3)


def test_corrected_p_equals_permuted_ols(ours, theirs):
    np.testing.assert_allclose(ours.p, 10.0 ** -theirs["logp_max_t"][0], rtol=1e-6)
    assert ours.p.min() < 0.1
    # a voxel one level off may pass a permutation's maximum
    assert np.abs(ours.tfce_p - 10.0 ** -theirs["logp_max_tfce"][0]).max() <= 1 / (COUNT + 1) + 1e-9


def test_observed_clusters_equal_permuted_ols(ours, theirs):
    assert ours.sizes.max() == theirs["size"].max()
    assert ours.masses.max() == pytest.approx(theirs["mass"].max(), rel=1e-5)
    inside = ours.labels > 0
    np.testing.assert_array_equal(inside, theirs["size"][0] > 0)
    np.testing.assert_array_equal(ours.sizes[ours.labels[inside] - 1], theirs["size"][0][inside])


def test_p_agree_with_non_parametric_inference_within_monte_carlo_error(study, neighbours, masker):
    import pandas as pd
    from nilearn.glm.second_level import non_parametric_inference

    maps, group, covariates = study
    count = 400
    design = pd.DataFrame(np.column_stack([group, covariates]), columns=["group", "x", "y"])
    design["intercept"] = 1.0
    found = non_parametric_inference(
        [masker.inverse_transform(row) for row in maps], design_matrix=design, second_level_contrast="group",
        mask=masker.mask_img_, n_perm=count, two_sided_test=True, random_state=3, threshold=0.01,
    )  # fmt: skip
    nuisance = np.column_stack([np.ones(N), covariates])
    ours = permute_maps(
        maps, group, nuisance, neighbours, n_permutations=count, seed=4, cluster_forming_p=0.01, tfce=False
    )
    expected = 10.0 ** -masker.transform(found["logp_max_t"]).ravel()
    np.testing.assert_allclose(masker.transform(found["t"]).ravel(), ours.t, rtol=1e-5, atol=1e-5)
    _assert_close(ours.p, expected, count)
    inside = ours.labels > 0
    for name, p in (("size", ours.size_p), ("mass", ours.mass_p)):
        corrected = 10.0 ** -masker.transform(found[f"logp_max_{name}"]).ravel()[inside]
        _assert_close(p[ours.labels[inside] - 1], corrected, count)


@pytest.mark.slow
def test_p_agree_with_permuted_ols_within_monte_carlo_error(study, neighbours, masker):
    maps, group, covariates = study
    count = 300
    theirs = permuted_ols(
        group, maps, covariates, n_perm=count, random_state=5, masker=masker, tfce=True, threshold=0.01
    )
    nuisance = np.column_stack([np.ones(N), covariates])
    ours = permute_maps(
        maps, group, nuisance, neighbours, n_permutations=count, seed=6, cluster_forming_p=0.01
    )
    np.testing.assert_allclose(ours.t, theirs["t"][0], rtol=1e-5, atol=1e-5)
    assert ours.tfce_p.min() < 0.05
    _assert_close(ours.p, 10.0 ** -theirs["logp_max_t"][0], count)
    _assert_close(ours.tfce_p, 10.0 ** -theirs["logp_max_tfce"][0], count)
    inside = ours.labels > 0
    for name, p in (("size", ours.size_p), ("mass", ours.mass_p)):
        _assert_close(p[ours.labels[inside] - 1], 10.0 ** -theirs[f"logp_max_{name}"][0][inside], count)


def _assert_close(found: np.ndarray, expected: np.ndarray, count: int) -> None:
    """Four standard errors of a difference of two Monte Carlo p, and (b + 1)/(B + 1) against b/B."""
    margin = 4 * np.sqrt(2 * expected * (1 - expected) / count) + 2 / count
    assert (np.abs(found - expected) <= margin).all()
