from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rsconn.inference.model import Model, check_model, choose_simple, make_geometry


@pytest.mark.parametrize(
    ("kind", "sides", "estimator"),
    [
        ("slope", (18, 18), "ols_hc3"),
        ("paired", (12, 0), "ols_hc2"),
        ("contrast", (18, 18), "ols_hc2"),
        ("contrast", (20, 22), "ols_hc2"),
        ("contrast", (22, 20), "ols_hc2"),
        ("contrast", (20, 23), "ols_hc3"),
        ("contrast", (12, 24), "ols_hc3"),
    ],
)
def test_hc2_judges_where_it_keeps_its_level(kind, sides, estimator):
    tested = np.repeat([1.0, 0.0], sides)
    assert choose_simple(kind, tested, 3) == estimator
    assert choose_simple(kind, tested, 0) == ("ols_hc2" if kind == "paired" else "ols_hc3")


def test_a_sound_model_has_no_reason(make_contrast, make_slope, make_paired):
    for model in (
        make_contrast(),
        make_contrast(n_covariates=3),
        make_slope(),
        make_paired(),
        make_paired(n_covariates=1),
    ):
        assert check_model(model) is None


def test_geometry_is_that_of_the_hat_matrix(make_slope):
    model = make_slope(n_covariates=3)
    geometry = make_geometry(model)
    hat = model.design @ np.linalg.pinv(model.design)
    np.testing.assert_allclose(geometry.leverage, np.diag(hat), rtol=1e-12)
    np.testing.assert_allclose(geometry.basis @ geometry.basis.T, hat, atol=1e-13)
    np.testing.assert_allclose(model.nuisance.T @ geometry.direction, 0, atol=1e-12)


def test_aliased_predictor_is_rank_deficient(make_slope):
    model = make_slope()
    aliased = replace(model, tested=3 * model.nuisance[:, 1] - 50 * model.nuisance[:, 0])
    assert "rank-deficient" in check_model(aliased)


def test_units_of_a_covariate_do_not_make_it_aliased(make_slope):
    model = make_slope()
    nuisance = model.nuisance.copy()
    nuisance[:, 1] *= 1e-7
    nuisance[:, 2] = nuisance[:, 2] * 1e5 + 1e7
    assert check_model(replace(model, nuisance=nuisance)) is None


def test_constant_covariate_is_rank_deficient(make_slope):
    model = make_slope()
    nuisance = np.column_stack([model.nuisance, np.full(model.n, 7.0)])
    assert "rank-deficient" in check_model(replace(model, nuisance=nuisance))


def test_one_person_in_a_level_is_leverage_one(make_slope):
    model = make_slope()
    lonely = np.zeros(model.n)
    lonely[3] = 1
    assert "leverage 1" in check_model(replace(model, nuisance=np.column_stack([model.nuisance, lonely])))


@pytest.mark.parametrize(("n_a", "n_b"), [(1, 10), (10, 1)])
def test_a_group_of_one_is_refused(make_contrast, n_a, n_b):
    assert "at least 2 people" in check_model(make_contrast(n_a, n_b))


def test_no_residual_degree_of_freedom(make_slope):
    assert check_model(make_slope(n=4, n_covariates=2)) == "n = 4 is too small for 4 parameters"


@pytest.mark.parametrize("level", [0.0, 3.3, -1e6])
def test_constant_outcome(make_contrast, level):
    model = make_contrast()
    assert check_model(replace(model, outcome=np.full(model.n, level))) == "the outcome is constant"


def test_outcome_that_is_constant_within_groups(make_contrast):
    model = make_contrast()
    assert "exactly" in check_model(replace(model, outcome=20.1 + 0.3 * model.tested))


def test_no_error_where_the_direction_is(make_contrast):
    """All of a are at one site, and a and b are constant there: HC3 would be nothing, and p 1e-100."""
    model = make_contrast(3, 7)
    site = np.repeat([0.0, 1.0], [6, 4])
    outcome = np.array([1.0, 1, 1, 2, 2, 2, 5, 7, 3, 9])
    fixed = replace(
        model, outcome=outcome, nuisance=np.column_stack([np.ones(10), site]), estimator="ols_hc3"
    )
    assert check_model(fixed).endswith("no error is left to judge it by")
    assert check_model(replace(fixed, outcome=outcome + 0.1 * np.eye(10)[0])) is None


def test_constant_difference_has_no_error(make_paired):
    model = make_paired()
    assert "exactly" in check_model(replace(model, outcome=np.full(model.n, 0.7)))
    assert "constant" in check_model(replace(model, outcome=np.zeros(model.n)))


def test_incomplete_rows_are_a_programming_error(make_contrast):
    model = make_contrast()
    outcome = model.outcome.copy()
    outcome[2] = np.nan
    with pytest.raises(ValueError, match="finite"):
        replace(model, outcome=outcome)


def test_welch_with_covariates_is_a_programming_error(make_contrast):
    with pytest.raises(ValueError, match="Welch"):
        make_contrast(n_covariates=1, estimator="welch")


@pytest.mark.parametrize("field", ["tested", "units", "nuisance", "blocks"])
def test_shapes_must_agree(make_contrast, field):
    model = make_contrast()
    with pytest.raises(ValueError, match="27 outcomes"):
        replace(model, **{field: np.ones((5, 1)) if field == "nuisance" else np.ones(5, dtype=int)})


def test_model_is_frozen(make_contrast):
    model: Model = make_contrast()
    with pytest.raises(AttributeError):
        model.kind = "slope"
