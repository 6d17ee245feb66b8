import re
from pathlib import Path

import numpy as np
import pytest

from rsconn import questionnaires
from rsconn.errors import UserError
from rsconn.questionnaires import (
    compute_alpha,
    compute_omega,
    compute_sum_range,
    key_items,
    rescale,
    score_items,
)
from rsconn.settings.instruments import list_instruments, read_instrument

IRI_ITEMS = Path(__file__).parents[3] / "shared/data/questionnaires/iri_items.tsv"

# Davis (1980) as printed: item numbers, R = reversed
PRINTED_KEYS = {
    ("IRI", "FS"): "1 5 7R 12R 16 23 26",
    ("IRI", "PT"): "3R 8 11 15R 21 25 28",
    ("IRI", "EC"): "2 4R 9 14R 18R 20 22",
    ("IRI", "PD"): "6 10 13R 17 19R 24 27",
    ("ERQ", "CR"): "1 3 5 7 8 10",
    ("ERQ", "ES"): "2 4 6 9",
}


@pytest.fixture(scope="module")
def real_items():
    if not IRI_ITEMS.exists():
        pytest.skip("the shared real data are not beside the repository")
    rows = [line.split("\t") for line in IRI_ITEMS.read_text().splitlines()[1:]]
    sex = np.array([row[1] for row in rows])
    items = np.array([[float(cell) if cell != "n/a" else np.nan for cell in row[2:]] for row in rows])
    return sex, items


@pytest.mark.parametrize(("name", "printed"), PRINTED_KEYS.items())
def test_keys_are_the_printed_ones(name, printed):
    key = read_instrument(name[0]).subscales[name[1]]
    words = printed.split()
    assert key.items == tuple(int(word.rstrip("R")) for word in words)
    assert key.reversed_items == tuple(int(word.rstrip("R")) for word in words if word.endswith("R"))


@pytest.mark.parametrize("instrument", list_instruments())
def test_every_item_belongs_to_one_subscale(instrument):
    form = read_instrument(instrument)
    numbers = sorted(number for key in form.subscales.values() for number in key.items)
    assert numbers == list(range(1, form.n_items + 1))


def test_sum_ranges():
    assert compute_sum_range(read_instrument("IRI"), "PD") == (0, 28)
    assert compute_sum_range(read_instrument("ERQ"), "CR") == (6, 42)
    assert compute_sum_range(read_instrument("ERQ"), "ES") == (4, 28)


def test_perfect_empathy_scores_the_maximum():
    items = np.full((1, 28), 4.0)
    items[0, [number - 1 for number in (3, 15)]] = 0
    assert score_items(items, read_instrument("IRI"), "PT")[0] == 28
    assert score_items(items, read_instrument("IRI"), "PT", already_reversed=True)[0] == 20


def test_reversal_does_not_touch_the_input():
    items = np.zeros((2, 28))
    key_items(items, read_instrument("IRI"), "EC")
    assert not items.any()


def test_missing_items_are_filled_only_up_to_the_limit():
    items = np.full((2, 10), 6.0)
    items[0, 1] = np.nan
    items[1, [1, 3]] = np.nan
    np.testing.assert_array_equal(score_items(items, read_instrument("ERQ"), "ES"), [np.nan, np.nan])
    np.testing.assert_array_equal(
        score_items(items, read_instrument("ERQ"), "ES", max_missing_items=1), [24, np.nan]
    )


def test_all_items_missing_never_gives_a_score():
    assert np.isnan(
        score_items(np.full((1, 10), np.nan), read_instrument("ERQ"), "ES", max_missing_items=4)[0]
    )


def test_rescale_reverses_after_the_shift():
    # a 1-5 answer of 5 to a reversed item is 0 on Davis's 0-4
    answers = np.full((1, 28), 5.0)
    sums = score_items(rescale(answers, (1, 5), (0, 4)), read_instrument("IRI"), "FS")
    assert sums[0] == 5 * 4


@pytest.mark.parametrize(
    ("sex", "subscale", "mean", "sd"),
    [
        ("F", "FS", 18.25, 5.39),
        ("F", "PT", 16.91, 4.57),
        ("F", "EC", 20.54, 4.29),
        ("F", "PD", 13.55, 4.66),
        ("M", "FS", 15.68, 4.94),
        ("M", "PT", 16.48, 4.51),
        ("M", "EC", 17.66, 4.66),
        ("M", "PD", 10.70, 4.45),
    ],
)
def test_norms_of_the_public_table(real_items, sex, subscale, mean, sd):
    sexes, items = real_items
    sums = score_items(items[sexes == sex], read_instrument("IRI"), subscale, already_reversed=True)
    assert round(float(np.nanmean(sums)), 2) == mean
    assert round(float(np.nanstd(sums, ddof=1)), 2) == sd


@pytest.mark.parametrize(
    ("subscale", "right", "wrong"),
    [("FS", 0.74, 0.40), ("PT", 0.65, 0.28), ("EC", 0.75, -0.13), ("PD", 0.72, 0.31)],
)
def test_alphas_of_the_public_table(real_items, subscale, right, wrong):
    _, items = real_items
    keyed = key_items(items, read_instrument("IRI"), subscale, already_reversed=True)
    again = key_items(items, read_instrument("IRI"), subscale, already_reversed=False)
    assert round(compute_alpha(keyed), 2) == right
    assert round(compute_alpha(again), 2) == wrong


def test_alpha_of_too_little_is_nan():
    assert np.isnan(compute_alpha(np.array([[1.0, 2.0], [2.0, 1.0]])))
    assert np.isnan(compute_alpha(np.ones((5, 3))))
    assert np.isnan(compute_alpha(np.arange(5.0)[:, None]))


def test_omega_equals_alpha_for_exactly_parallel_items():
    # with equal loadings and equal unique variances both are k^2 l^2 / (k^2 l^2 + k psi)
    correlations = np.full((5, 5), 0.4) + 0.6 * np.eye(5)
    rng = np.random.default_rng(3)
    white = np.linalg.qr(rng.normal(size=(60, 6)) - 0)[0]
    white -= white.mean(axis=0)
    white = np.linalg.qr(white)[0][:, :5]
    items = white @ np.linalg.cholesky(correlations).T
    assert compute_omega(items) == pytest.approx(5 * 0.4 / (5 * 0.4 + 0.6), abs=1e-10)
    assert compute_alpha(items) == pytest.approx(5 * 0.4 / (5 * 0.4 + 0.6), abs=1e-10)


def test_omega_recovers_a_congeneric_model_exactly():
    loadings, psi = np.array([0.9, 1.2, 0.5, 2.0]), np.array([0.5, 1.0, 0.7, 2.5])
    covariance = np.outer(loadings, loadings) + np.diag(psi)
    rng = np.random.default_rng(4)
    white = rng.normal(size=(50, 4))
    white = np.linalg.qr(white - white.mean(axis=0))[0]
    items = white @ np.linalg.cholesky(covariance).T
    wanted = loadings.sum() ** 2 / (loadings.sum() ** 2 + psi.sum())
    assert compute_omega(items) == pytest.approx(wanted, abs=1e-9)


def test_omega_has_no_value_where_the_best_fit_lies_on_the_bound():
    # the likelihood is largest with a unique variance of none; a worse root of its equations lies nearby
    items = np.random.default_rng(241).integers(0, 5, size=(15, 4)).astype(float)
    assert np.isnan(compute_omega(items))


def test_omega_has_no_value_where_the_model_has_none(real_items):
    assert np.isnan(compute_omega(np.ones((10, 4))))
    assert np.isnan(compute_omega(np.arange(12.0).reshape(6, 2)))
    _, items = real_items
    omega = compute_omega(key_items(items, read_instrument("IRI"), "FS", already_reversed=True))
    assert 0.70 < omega < 0.80


def test_module_needs_no_pandas():
    assert "pandas" not in vars(questionnaires)


OWN = "name: TAS\nsource: made up\nn_items: 4\nanswers: [1, 5]\nsubscales: {A: {items: [1, 3], reversed: [3]}}\n"


def test_a_questionnaire_of_ones_own_is_a_file(tmp_path):
    path = tmp_path / "tas.yaml"
    path.write_text(OWN)
    form = read_instrument(str(path))
    assert score_items(np.array([[5.0, 1.0, 2.0, 1.0]]), form, "A")[0] == 5 + (1 + 5 - 2)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[1, 3], rev", "[3, 9], rev", "item 9 of 4"),
        ("reversed: [3]", "reversed: [2]", "item 2 is not among items"),
        ("[1, 5]", "[5, 1]", "answers: [5, 1] found"),
        ("[1, 3], rev", "[1, 1], rev", "listed twice"),
        ("source: made up\n", "", "source"),
    ],
)
def test_a_key_that_cannot_be_is_refused(tmp_path, old, new, said):
    path = tmp_path / "tas.yaml"
    path.write_text(OWN.replace(old, new))
    with pytest.raises(UserError, match=re.escape(said)):
        read_instrument(str(path))
