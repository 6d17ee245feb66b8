"""Maps under permutation against a brute-force Freedman-Lane: every model fitted by least squares."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

from rsconn.inference import exceedances, patches, voxelwise
from rsconn.inference.arrangements import draw_orders, draw_signs
from rsconn.inference.clusters import find_neighbours
from rsconn.inference.exceedances import compute_t_maps, find_exceedances, find_largest
from rsconn.inference.patches import match_dof, split_patches
from rsconn.inference.voxelwise import apply_arrangements, compute_corrected_p, flip_maps, permute_maps

SHAPE = (6, 5, 4)
N = 14


def fit_t(outcome: np.ndarray, tested: np.ndarray, nuisance: np.ndarray) -> float:
    design = np.column_stack([tested, nuisance])
    beta, rss = np.linalg.lstsq(design, outcome, rcond=None)[:2]
    dof = len(outcome) - design.shape[1]
    return float(beta[0] / np.sqrt(rss[0] / dof * np.linalg.inv(design.T @ design)[0, 0]))


def permute_brutally(outcome, tested, nuisance, order) -> float:
    present = np.isfinite(outcome)
    outcome, tested, nuisance = outcome[present], tested[present], nuisance[present]
    place, sources = np.cumsum(present) - 1, []
    for person in np.flatnonzero(present):
        source = order[person]
        while not present[source]:
            source = order[source]
        sources.append(place[source])
    order = sources
    fitted = nuisance @ np.linalg.lstsq(nuisance, outcome, rcond=None)[0]
    return fit_t(fitted + (outcome - fitted)[order], tested, nuisance)


def flip_brutally(outcome, tested, nuisance, signs) -> float:
    present = np.isfinite(outcome)
    outcome, tested, nuisance, signs = outcome[present], tested[present], nuisance[present], signs[present]
    fitted = nuisance @ np.linalg.lstsq(nuisance, outcome, rcond=None)[0]
    return fit_t(fitted + (outcome - fitted) * signs, tested, nuisance)


def label_brutally(t: np.ndarray, threshold: float) -> list[tuple[int, float]]:
    found = []
    for sign in (1, -1):
        labels, count = ndimage.label(sign * t > threshold)
        found += [
            ((labels == k).sum(), (np.abs(t[labels == k]) - threshold).sum()) for k in range(1, count + 1)
        ]
    return found


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(5)
    mask = np.ones(SHAPE, bool)
    mask[0, 0, :2] = mask[3, 2, 1] = False
    voxels = np.flatnonzero(mask.ravel(order="F"))
    noise = np.array([ndimage.gaussian_filter(rng.normal(size=SHAPE), 0.6) for _ in range(N)])
    group = np.repeat([1.0, 0.0], N // 2)
    covariates = rng.normal(size=(N, 2)) + 0.4 * group[:, None]
    maps = noise.reshape(N, -1, order="F")[:, voxels] + 0.3 * covariates[:, :1] + 5
    maps[:, 10:16] += 0.8 * group[:, None]
    return maps, group, np.column_stack([np.ones(N), covariates]), voxels


@pytest.fixture(scope="module")
def holed(study):
    """The same, with people who do not cover some voxels: three designs in all."""
    maps = study[0].copy()
    maps[2, :9] = np.nan
    maps[[3, 11], 20:28] = np.nan
    return maps, *study[1:]


@pytest.fixture(scope="module")
def orders():
    return draw_orders(N, None, 30, np.random.default_rng(3))


def make_volume(values: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    volume = np.zeros(int(np.prod(SHAPE)))
    volume[voxels] = values
    return volume.reshape(SHAPE, order="F")


@pytest.fixture(scope="module")
def signs():
    return draw_signs(N, 30, np.random.default_rng(3))


@pytest.fixture(scope="module", params=["study orders", "holed orders", "study signs", "holed signs"])
def both(request):
    """Maps, what is tested, nuisance, voxels, arrangements, what they are, and t by brute force."""
    name, exchange = request.param.split()
    maps, group, nuisance, voxels = request.getfixturevalue(name)
    arrangements = request.getfixturevalue(exchange)
    compute = permute_brutally if exchange == "orders" else flip_brutally
    brute = np.array([[compute(y, group, nuisance, each) for y in maps.T] for each in arrangements])
    dof = np.isfinite(maps).sum(axis=0) - 4
    comparable = stats.t.ppf(stats.t.cdf(brute, dof), N - 4)
    brute = np.where(dof == N - 4, brute, comparable)
    return maps, group, nuisance, voxels, arrangements, exchange, brute


def test_maxima_equal_brute_force(both):
    maps, group, nuisance, voxels, arrangements, exchange, brute = both
    neighbours = find_neighbours(voxels, SHAPE)
    null = apply_arrangements(
        maps, group, nuisance, neighbours, arrangements, exchange, cluster_forming_p=0.1
    ).null
    np.testing.assert_allclose(null.t, np.abs(brute).max(axis=1), rtol=1e-6)
    threshold = stats.t.isf(0.05, N - 4)
    for index, row in enumerate(brute):
        found = label_brutally(make_volume(row, voxels), threshold)
        assert null.size[index] == max((size for size, _ in found), default=0)
        assert null.mass[index] == pytest.approx(max((mass for _, mass in found), default=0), rel=1e-5)


def test_largest_tfce_equals_nilearn(both):
    from nilearn.mass_univariate._utils import calculate_tfce

    maps, group, nuisance, voxels, arrangements, exchange, brute = both
    neighbours = find_neighbours(voxels, SHAPE)
    null = apply_arrangements(maps, group, nuisance, neighbours, arrangements, exchange).null
    structure = ndimage.generate_binary_structure(3, 1)
    expected = [np.abs(calculate_tfce(make_volume(row, voxels)[..., None], structure)).max() for row in brute]
    np.testing.assert_allclose(null.tfce, expected, rtol=2e-3)  # a voxel may be one level off by rounding


def test_observed_t_is_that_of_the_people_present(holed):
    maps, group, nuisance, voxels = holed
    found = permute_maps(maps, group, nuisance, find_neighbours(voxels, SHAPE), n_permutations=5, seed=1)
    expected = []
    for outcome in maps.T:
        present = np.isfinite(outcome)
        expected.append(fit_t(outcome[present], group[present], nuisance[present]))
    np.testing.assert_allclose(found.t, expected, rtol=1e-5, atol=1e-6)
    assert set(found.dof) == {N - 4, N - 5, N - 6}


@pytest.mark.parametrize("p", [0.5, 0.05, 0.001])
def test_exceedances_equal_brute_force(both, p):
    maps, group, nuisance, _, arrangements, exchange, brute = both
    threshold = stats.t.isf(p / 2, N - 4)
    parts = tuple(split_patches(maps, group, nuisance, exchange))
    found = find_exceedances(parts, arrangements, threshold)
    expected = np.nonzero(np.abs(brute) > threshold)
    np.testing.assert_array_equal((found.permutation, found.voxel), expected)
    np.testing.assert_allclose(found.t, brute[expected], rtol=1e-5)


def test_t_maps_and_largest_equal_brute_force(both):
    maps, group, nuisance, _, arrangements, exchange, brute = both
    parts = tuple(split_patches(maps, group, nuisance, exchange))
    t = compute_t_maps(parts, arrangements, maps.shape[1])
    np.testing.assert_allclose(t, brute, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(find_largest(parts, arrangements), np.abs(brute).max(axis=1), rtol=1e-5)


def test_flips_by_families_and_by_seed(study, monkeypatch):
    maps, group, nuisance, voxels = study
    seen = []
    monkeypatch.setattr(voxelwise, "apply_arrangements", lambda *arguments, **_: seen.append(arguments[-2:]))
    neighbours = find_neighbours(voxels, SHAPE)
    flip_maps(maps, group, nuisance, neighbours, n_flips=40, seed=1, units=np.repeat(np.arange(N // 2), 2))
    flip_maps(maps, group, nuisance, neighbours, n_flips=40, seed=1)
    (families, exchange), (alone, _) = seen
    assert exchange == "signs"
    assert (families[:, ::2] == families[:, 1::2]).all()
    assert (alone[:, ::2] != alone[:, 1::2]).any()
    assert set(alone.ravel()) == {-1.0, 1.0}


def test_flips_hold_their_level_where_the_small_group_varies_more():
    """SD twice as large in 6 of 18: permutation finds something in most maps without any effect."""
    neighbours, group = find_neighbours(np.arange(64), (4, 4, 4)), np.repeat([1.0, 0.0], [6, 12])
    rng, hits = np.random.default_rng(4), np.zeros(2)
    for seed in range(60):
        maps = rng.normal(size=(18, 64)) * np.where(group == 1, 2.0, 1.0)[:, None]
        given = (maps, group, np.ones((18, 1)), neighbours)
        flipped = flip_maps(*given, n_flips=99, seed=seed, tfce=False)
        permuted = permute_maps(*given, n_permutations=99, seed=seed, tfce=False)
        hits += [flipped.p.min() <= 0.05, permuted.p.min() <= 0.05]
    assert hits[0] <= 9  # 3 expected
    assert hits[1] >= 20


def test_result_does_not_depend_on_blocks(study, monkeypatch):
    maps, group, nuisance, voxels = study
    neighbours = find_neighbours(voxels, SHAPE)
    whole = permute_maps(maps, group, nuisance, neighbours, n_permutations=50, seed=2)
    monkeypatch.setattr(exceedances, "BATCH", 7)
    monkeypatch.setattr(voxelwise, "T_VOXELS", 1000)
    monkeypatch.setattr(voxelwise, "TFCE_VOXELS", 350)
    monkeypatch.setattr(exceedances, "TILE", 1000)
    monkeypatch.setattr(voxelwise, "_BLOCK", 32)
    monkeypatch.setattr(exceedances, "_GROUP", 3)
    parts = permute_maps(maps, group, nuisance, neighbours, n_permutations=50, seed=2)
    np.testing.assert_allclose(whole.null.t, parts.null.t, rtol=1e-12)
    np.testing.assert_array_equal(whole.null.size, parts.null.size)
    np.testing.assert_allclose(whole.null.mass, parts.null.mass, rtol=1e-12)
    np.testing.assert_array_equal(whole.p, parts.p)
    np.testing.assert_array_equal(whole.tfce_p, parts.tfce_p)


def test_seed_decides(study):
    maps, group, nuisance, voxels = study
    neighbours = find_neighbours(voxels, SHAPE)

    def largest(seed: int) -> np.ndarray:
        return permute_maps(
            maps, group, nuisance, neighbours, n_permutations=20, seed=seed, tfce=False
        ).null.t

    np.testing.assert_array_equal(largest(1), largest(1))
    assert (largest(1) != largest(2)).any()


def test_orders_respect_blocks(study, monkeypatch):
    maps, group, nuisance, voxels = study
    seen = []
    monkeypatch.setattr(voxelwise, "apply_arrangements", lambda *arguments, **_: seen.append(arguments[-1]))
    blocks = np.arange(N) % 3
    permute_maps(
        maps, group, nuisance, find_neighbours(voxels, SHAPE), n_permutations=20, seed=1, blocks=blocks
    )
    assert (blocks[seen[0]] == blocks).all()
    assert (seen[0] != np.arange(N)).any(axis=1).all()


def test_families_are_exchanged_as_wholes_where_somebody_is_absent(holed, monkeypatch):
    maps, group, nuisance, voxels = holed
    seen = []
    monkeypatch.setattr(voxelwise, "apply_arrangements", lambda *arguments, **_: seen.append(arguments))
    units = np.repeat(np.arange(N // 2), 2)
    permute_maps(
        maps, group, nuisance, find_neighbours(voxels, SHAPE), n_permutations=20, seed=1, units=units
    )
    kept, orders = seen[0][0], seen[0][-1]
    assert (units[orders[:, ::2]] == units[orders[:, 1::2]]).all()
    assert (np.isnan(kept[::2]) == np.isnan(kept[1::2])).all()
    assert np.isnan(kept[3, :9]).all()
    assert np.isnan(maps).sum() == 9 + 16  # those given stay as they are


def test_orders_of_those_present_respect_blocks(holed):
    maps, group, nuisance, _ = holed
    blocks = np.arange(N) % 3
    orders = draw_orders(N, blocks, 50, np.random.default_rng(2))
    for patch in split_patches(maps, group, nuisance):
        present = patches._skip_absent(orders, patch.people)
        assert (np.sort(present, axis=1) == np.arange(len(patch.people))).all()
        assert (blocks[patch.people][present] == blocks[patch.people]).all()


def test_observed_order_counts_as_a_tie(study):
    maps, group, nuisance, voxels = study
    same = np.tile(np.arange(N), (4, 1))
    found = apply_arrangements(
        maps, group, nuisance, find_neighbours(voxels, SHAPE), same, cluster_forming_p=0.1
    )
    peak = np.abs(found.t).argmax()
    assert found.p[peak] == found.size_p.min() == found.mass_p.min() == 1
    assert np.nanmin(found.tfce_p) == 1


def test_labels_are_ranked_by_mass(study):
    maps, group, nuisance, voxels = study
    neighbours = find_neighbours(voxels, SHAPE)
    found = permute_maps(maps, group, nuisance, neighbours, n_permutations=5, seed=1, cluster_forming_p=0.2)
    masses = [
        (np.abs(found.t[found.labels == label]) - found.threshold).sum()
        for label in range(1, len(found.sizes) + 1)
    ]
    assert len(masses) > 2
    np.testing.assert_allclose(found.masses, masses, rtol=1e-6)
    assert (np.diff(masses) <= 0).all()
    np.testing.assert_array_equal(found.sizes, np.bincount(found.labels)[1:])


def test_voxels_without_variance_or_people_are_not_tested(study):
    maps, group, nuisance, voxels = study
    maps = maps.copy()
    maps[:, 0] = 5.0
    maps[group > 0, 1] = np.nan
    maps[:, 2] = np.nan
    maps[:, 3] = nuisance @ [1.0, 2.0, 3.0]
    found = permute_maps(maps, group, nuisance, find_neighbours(voxels, SHAPE), n_permutations=9, seed=1)
    for values in (found.t, found.p, found.tfce, found.tfce_p):
        assert np.isnan(values[:4]).all()
        assert np.isfinite(values[4:]).all()
    assert (found.dof[:4] == 0).all()
    assert (found.labels[:4] == 0).all()


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-4])
def test_voxel_without_noise_leaves_the_others_alone(study, noise):
    maps, group, nuisance, voxels = study
    neighbours = find_neighbours(voxels, SHAPE)
    beside, perfect = maps.copy(), maps.copy()
    at = 40
    beside[:, at] = np.nan
    perfect[:, at] = group + noise * np.random.default_rng(1).normal(size=N)
    near = neighbours[:, at].tolist() + np.nonzero((neighbours == at).any(axis=0))[0].tolist()
    others = np.setdiff1d(np.arange(maps.shape[1]), [at, *near])
    for test in (flip_maps, permute_maps):
        count = {"n_flips" if test is flip_maps else "n_permutations": 99}
        found = test(perfect, group, nuisance, neighbours, seed=1, cluster_forming_p=0.1, **count)
        without = test(beside, group, nuisance, neighbours, seed=1, cluster_forming_p=0.1, **count)
        assert found.t[at] > 1000
        assert np.isfinite(found.t).all()
        assert np.isfinite(found.tfce).all()
        # orders or signs that leave the groups as they are tie with the observed
        assert found.p[at] == found.tfce_p[at] == found.mass_p[0] <= 0.05
        np.testing.assert_array_equal(found.t[others], without.t[others])
        weak = others[np.abs(without.t[others]) < 2]
        np.testing.assert_allclose(found.tfce[weak], without.tfce[weak], rtol=0.3)
        assert (found.tfce[np.abs(found.t) > 0.2] != 0).all()


def test_covariate_that_is_constant_among_those_present_is_left_out(study):
    maps, group, nuisance, voxels = study
    sex = np.zeros(N)
    sex[[2, 9]] = 1
    maps = maps.copy()
    maps[[2, 9], 5:12] = np.nan  # the two men miss these voxels
    both = np.column_stack([nuisance, sex])
    neighbours = find_neighbours(voxels, SHAPE)
    for test in (flip_maps, permute_maps):
        count = {"n_flips" if test is flip_maps else "n_permutations": 19}
        found = test(maps, group, both, neighbours, seed=1, **count)
        rest = np.delete(np.arange(N), [2, 9])
        expected = [fit_t(maps[rest, voxel], group[rest], nuisance[rest]) for voxel in range(5, 12)]
        np.testing.assert_allclose(found.t[5:12], expected, rtol=1e-5)
        assert set(found.dof[5:12]) == {N - 2 - 4}
        assert np.isfinite(found.p).all()
        assert found.n_lacking == 7


def test_nothing_but_noise_is_found_in_five_percent():
    shape = (8, 8, 8)
    neighbours = find_neighbours(np.arange(512), shape)
    group, rng = np.repeat([1.0, 0.0], 10), np.random.default_rng(11)
    nuisance = np.column_stack([np.ones(20), rng.normal(size=20)])
    hits = np.zeros(3)
    for seed in range(100):
        maps = ndimage.gaussian_filter(rng.normal(size=(20, *shape)), (0, 1, 1, 1)).reshape(20, -1, order="F")
        found = permute_maps(
            maps,
            group,
            nuisance,
            neighbours,
            n_permutations=99,
            seed=seed,
            cluster_forming_p=0.01,
            tfce=False,
        )
        hits += [found.p.min() <= 0.05, (found.size_p <= 0.05).any(), (found.mass_p <= 0.05).any()]
    # four standard errors around 5 of 100; ties of size make it conservative
    assert (hits <= 13).all()
    assert hits[0] >= 1
    assert hits[2] >= 1


def test_arrays_in_a_file_give_the_same(study, monkeypatch):
    maps, group, nuisance, voxels = study
    neighbours = find_neighbours(voxels, SHAPE)
    in_memory = permute_maps(maps, group, nuisance, neighbours, n_permutations=20, seed=2)
    monkeypatch.setattr(patches, "_MAX_BYTES", 10)
    monkeypatch.setattr(patches, "_BLOCK", 64)
    [patch] = split_patches(maps, group, nuisance)
    assert isinstance(patch.stripes, np.memmap)
    in_file = permute_maps(maps, group, nuisance, neighbours, n_permutations=20, seed=2)
    np.testing.assert_array_equal(in_memory.t, in_file.t)
    np.testing.assert_array_equal(in_memory.null.tfce, in_file.null.tfce)


def test_corrected_p_counts_ties():
    null = np.array([1.0, 2.0, 2.0, 3.0])
    np.testing.assert_allclose(compute_corrected_p(np.array([2.0, 3.1, 0.0]), null), [0.8, 0.2, 1.0])


def test_matched_t_has_the_same_p():
    t = np.array([-8.0, -0.3, 0.0, 2.5, 40.0])
    np.testing.assert_allclose(stats.t.sf(match_dof(t, 28, 31), 31), stats.t.sf(t, 28), rtol=1e-8)


@pytest.mark.parametrize(
    ("nuisance", "message"),
    [
        (np.column_stack([np.ones(N), np.repeat([1.0, 0.0], N // 2)]), "rank-deficient"),
        (np.random.default_rng(1).normal(size=(N, 2)), "no constant"),
    ],
)
def test_designs_that_cannot_be_permuted(study, nuisance, message):
    maps, group, _, voxels = study
    with pytest.raises(ValueError, match=message):
        permute_maps(maps, group, nuisance, find_neighbours(voxels, SHAPE), n_permutations=5, seed=1)
