"""Power curves: simulated through the verdicts, compared with the noncentral t."""

from __future__ import annotations

import numpy as np
import pytest

from rsconn.cli import main
from rsconn.commands.power import compute_power_curves, format_table
from rsconn.errors import SettingsError
from rsconn.inference.verdict_power import compute_power, plan_contrast, plan_slope
from rsconn.settings.claims import Claim
from rsconn.settings.config import read_config
from rsconn.simulate.planned_cohorts import read_study_design, simulate_planned


@pytest.fixture(scope="module")
def config(root):
    return read_config(root / "config" / "config.yaml")


@pytest.fixture(scope="module")
def curves(config):
    return compute_power_curves(config, [40], n_simulations=80).set_index("claim")


def make_claim(name, **changes):
    content = {"id": name, "family": "f", "text": name, "outcome": "PT", "expect": "greater"}
    return Claim(**(content | changes))


@pytest.mark.parametrize(
    ("claim", "plan", "effect", "alpha", "rule"),
    [
        ("P1", plan_contrast(40, 40), 0.5, 0.05 / 6, "directional"),
        ("P3", plan_contrast(40, 40), 0.5, 0.05 / 6, "equivalence"),
        ("S2", plan_contrast(20, 20), 0.5, 0.05 / 8, "directional"),
        ("F1", plan_contrast(40, 40, 3), 0.5, 0.05 / 2, "directional"),
        ("B1", plan_slope(40, 3), 0.3, 0.05 / 5, "directional"),
        ("B3", plan_slope(80, 4), 0.3, 0.05 / 5, "two-sided"),
    ],
)
def test_power_is_that_of_the_noncentral_t(curves, claim, plan, effect, alpha, rule):
    row = curves.loc[claim]
    assert row["n"] == plan.n
    assert row["alpha"] == pytest.approx(alpha)
    expected = compute_power(plan, effect, alpha=alpha, rule=rule)
    assert row["power"] == pytest.approx(expected, abs=4 * (0.25 / 80) ** 0.5)


def test_same_seed_same_curve(config):
    first, again = (compute_power_curves(config, [10], n_simulations=5) for _ in range(2))
    assert first.equals(again)


def test_power_grows_with_the_effect_and_equivalence_has_one_row(config):
    table = compute_power_curves(config, [24], multiples=[0.5, 3.0], n_simulations=20)
    by_claim = table.set_index(["claim", "multiple"])["power"]
    assert by_claim["P1", 3.0] > 0.9 > by_claim["P1", 0.5]
    assert table.loc[table["claim"] == "P3", "effect"].tolist() == [0.0]
    assert any(line.startswith("P1") and "g 1.5" in line for line in format_table(table))


def test_design_follows_the_claims(config):
    claims = (
        make_claim("A", sample="hand == 'right' and excluded == 0 and age >= 18 and site != 'X'",
                   contrast={"a": {"where": "dose == 'low'"}, "b": {"where": "dose in ['none', 'high']"}}),
    )  # fmt: skip
    design = read_study_design(config.model_copy(update={"claims": claims}))
    assert design.factors == {
        "hand": ("right",),
        "excluded": (0.0,),
        "site": ("other",),
        "dose": ("low", "none", "high"),
        "sex": ("F", "M"),
    }
    columns = simulate_planned(design, 30, rng=np.random.default_rng(1))
    assert (columns["age"] >= 18).all()
    cells, counts = np.unique(
        [f"{g} {d} {s}" for g, d, s in zip(columns["group"], columns["dose"], columns["sex"], strict=True)],
        return_counts=True,
    )
    assert len(cells) == 12
    assert set(counts) == {5}


def test_paired_claims_are_planned_with_both_sessions(config):
    contrast = {"column": "session", "a": "2", "b": "1"}
    claims = (make_claim("A", contrast=contrast, paired=True),)
    table = compute_power_curves(
        config.model_copy(update={"claims": claims}), [20], multiples=[1.0, 3.0], n_simulations=20
    )
    assert table["n"].tolist() == [40, 40]
    assert table["power"].tolist()[1] == 1.0


@pytest.mark.parametrize(
    ("n", "multiples", "message"),
    [([1], [1.0], "--n"), ([20], [0.0], "--multiple"), ([20], [4.0], "partial r of 1.2")],
)
def test_impossible_requests_are_refused(config, n, multiples, message):
    with pytest.raises(SettingsError, match=message):
        compute_power_curves(config, n, multiples=multiples, n_simulations=1)


def test_command_prints_and_writes(root, tmp_path, capsys):
    config = str(root / "config" / "config.yaml")
    assert main(["power", config, "--n", "20", "30", "--simulations", "3", "--output", str(tmp_path)]) == 0
    assert "n=20" in capsys.readouterr().out
    lines = (tmp_path / "power.tsv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 24
    assert {path.name for path in tmp_path.iterdir()} == {"power.tsv", "power.json", "power.svg", "power.png"}
