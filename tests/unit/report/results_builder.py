"""A results folder with plausible tables, made without images: what figures and page are developed against."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from rsconn.files.tables import write_tsv
from rsconn.files.writing import write_json, write_text
from rsconn.inference.model import Model

GROUPS = ("therapist", "control")
SCORES = {"FS": "IRI", "PT": "IRI", "EC": "IRI", "PD": "IRI", "CR": "ERQ", "ES": "ERQ"}
RANGES = {"IRI": (0, 28), "CR": (6, 42), "ES": (4, 28)}
EDGES = ("LAI-dmPFC", "rACC-oPFC")
ROIS = {"LAI": (-36, 18, 2), "dmPFC": (0, 51, 32), "rACC": (9, 39, 20), "oPFC": (-12, 36, -21)}
SIDES = {"therapist": "group == 'therapist'", "control": "group == 'control'"}


def define_claims() -> list[dict]:
    """The 21 claims of the study, with short sentences."""
    claims = []

    def add(
        id_, family, outcome, expect, *, sample="", predictor=None, contrast=None, notes=(), covariates=None
    ):
        claims.append(
            {
                "id": id_,
                "family": family,
                "text": f"Claim {id_}: what the study said about {outcome}.",
                "source": "Neuroscience 492:82-91 (2022), abstract",
                "sample": sample,
                "outcome": outcome,
                "predictor": predictor,
                "contrast": contrast,
                "expect": expect,
                "covariates": covariates,
                "alpha": None,
                "sesoi": None,
                "exploratory": False,
                "paired": False,
                "notes": list(notes),
            }
        )

    groups = {"column": "group", "a": "therapist", "b": "control"}
    sexes = {"column": "sex", "a": "F", "b": "M"}
    article = ("Stated in the article only.",)
    for id_, score, expect in (
        ("P1", "FS", "greater"),
        ("P2", "PT", "greater"),
        ("P3", "EC", "equivalent"),
        ("P4", "PD", "equivalent"),
        ("P5", "ES", "less"),
        ("P6", "CR", "equivalent"),
    ):
        add(
            id_,
            "psychometric",
            score,
            expect,
            contrast=groups,
            notes=article if expect == "equivalent" else (),
        )
    for letter, score in zip("abcd", ("FS", "PT", "EC", "PD"), strict=True):
        add(
            f"S1{letter}",
            "sex",
            score,
            "equivalent",
            sample=SIDES["therapist"],
            contrast=sexes,
            notes=article,
        )
    add("S2", "sex", "EC", "greater", sample=SIDES["control"], contrast=sexes)
    add("S3", "sex", "ES", "less", sample=SIDES["control"], contrast=sexes)
    for id_, other in (("S4", "F"), ("S5", "M")):
        sides = {
            "a": {"where": "group == 'therapist' and sex == 'M'"},
            "b": {"where": f"group == 'control' and sex == '{other}'"},
        }
        add(id_, "sex", "ES", "less", contrast=sides)
    add("F1", "connectivity", EDGES[0], "greater", contrast=groups)
    add("F2", "connectivity", EDGES[1], "less", contrast=groups)
    add("B1", "brain-behaviour", EDGES[0], "negative", sample=SIDES["therapist"], predictor="PT")
    add("B2", "brain-behaviour", EDGES[1], "negative", sample=SIDES["therapist"], predictor="PT")
    pooled = ["group", "age", "sex", "mean_fd"]
    add("B3", "brain-behaviour", EDGES[0], "associated", predictor="FS", covariates=pooled)
    add("B4", "brain-behaviour", EDGES[1], "negative", predictor="PT", covariates=pooled)
    add(
        "B5",
        "brain-behaviour",
        EDGES[1],
        "negative",
        predictor="ES",
        covariates=pooled,
        notes=("Read with F2 and P5 the sign is odd <on its face>; see the slopes within each group.",),
    )
    return claims


def make_settings() -> dict:
    """Plain values of the config, as its model dumps them."""
    return {
        "input": {
            "participants": "data/demo/participants.tsv",
            "filters": {"task": ["rest"]},
            "t_r": None,
            "derivatives": ["data/demo/derivatives/fmriprep"],
            "parcellated": [],
            "phenotype": [],
        },
        "sessions": "combine",
        "rois": {
            "name": "olaldemathieu",
            "space": "MNI152NLin2009cAsym",
            "circular": None,
            "rois": [
                {
                    "name": name,
                    "source": "Dosenbach 2010",
                    "kind": "sphere",
                    "sphere": {"center_mm": list(centre), "radius_mm": 6.0},
                }
                for name, centre in ROIS.items()
            ],
        },
        "edges": [{"first": edge.split("-")[0], "second": edge.split("-")[1]} for edge in EDGES],
        "connectivity": {"kind": "pearson"},
        "denoising": {
            "mode": "projection",
            "high_pass_hz": 0.01,
            "low_pass_hz": 0.08,
            "smoothing_fwhm_mm": 0.0,
            "strategy": {
                "name": "acompcor",
                "motion": 6,
                "acompcor": {"wm": 5, "csf": 5},
                "wm_csf": 0,
                "global_signal": 0,
            },
        },
        "censoring": {
            "fd_threshold_mm": 0.5,
            "dvars_threshold": None,
            "min_retained_minutes": 4.0,
            "min_degrees_of_freedom": 15,
            "max_share_lost": 0.1,
        },
        "quality": {"max_mean_fd_mm": 0.5, "min_coverage": 0.5},
        "groups": {"column": "group", "levels": {name: name for name in GROUPS}},
        "scores": {
            name: {
                "instrument": kind,
                "subscale": name,
                "column": None,
                "coding": "items",
                "items": "iri_{:02d}",
                "range": None,
                "max_missing_items": 0,
            }
            for name, kind in SCORES.items()
        },
        "covariates": {"edge": ["age", "sex", "mean_fd"], "score": []},
        "claims": define_claims(),
        "inference": {
            "alpha": 0.05,
            "n_permutations": 10000,
            "seed": 20220401,
            "sesoi": {"g": 0.5, "partial_r": 0.3},
        },
    }


def make_cohort(rng: np.random.Generator) -> pd.DataFrame:
    """52 + 92 people with scores, of whom 18 + 18 have images; a few gaps."""
    group = np.repeat(GROUPS, (52, 92))
    n = group.size
    therapist = group == "therapist"
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{number:03d}" for number in range(1, n + 1)],
            "session": None,
            "group": group,
            "sex": rng.choice(["F", "M"], n),
            "age": np.round(rng.normal(54.5, 7.2, n)),
        }
    )
    for score, instrument in SCORES.items():
        low, high = RANGES.get(score, RANGES.get(instrument))
        shift = {"FS": 0.8, "PT": 0.8, "ES": -0.8}.get(score, 0.0) * therapist
        raw = (low + high) / 2 + 0.16 * (high - low) * (rng.normal(size=n) + shift)
        table[score] = np.clip(np.round(raw), low, high)
    table.loc[[3, 77], ["PT", "FS"]] = np.nan
    scanned = np.r_[0:18, 52:70]
    for edge, shift in zip(EDGES, (0.28, -0.28), strict=True):
        z = np.full(n, np.nan)
        z[scanned] = 0.35 + shift * therapist[scanned] / 1 + rng.normal(0, 0.2, scanned.size)
        z[scanned[5]] = np.nan
        table[edge] = z
    table["mean_fd"] = np.where(table[EDGES[0]].notna(), rng.gamma(5, 0.035, n), np.nan)
    table["included"] = table[EDGES[0]].notna()
    return table


def select_people(claim: dict, cohort: pd.DataFrame) -> SimpleNamespace:
    """What `study.claims.designs` hands over, with the few kinds of condition that the claims use."""
    people = cohort
    for level in GROUPS:
        if claim["sample"] == SIDES[level]:
            people = people[people["group"] == level]
    outcome = claim["outcome"]
    if claim["predictor"]:
        kept = people[people[outcome].notna() & people[claim["predictor"]].notna()]
        tested = kept[claim["predictor"]].to_numpy()
        return make_design(kept, claim, tested, "slope", ())
    contrast = claim["contrast"]
    if isinstance(contrast["a"], dict):
        cells = [people.query(contrast[side]["where"]) for side in "ab"]
    else:
        cells = [people[people[contrast["column"]] == contrast[side]] for side in "ab"]
    cells = [cell[cell[outcome].notna()] for cell in cells]
    kept = pd.concat(cells)
    tested = np.repeat([1.0, 0.0], [len(cell) for cell in cells])
    return make_design(kept, claim, tested, "contrast", ("a", "b"))


def make_design(
    kept: pd.DataFrame, claim: dict, tested: np.ndarray, kind: str, names: tuple[str, ...]
) -> SimpleNamespace:
    outcome = kept[claim["outcome"]].to_numpy(dtype=float)
    nuisance = make_nuisance(kept, claim)
    model = Model(outcome, tested.astype(float), nuisance, kind, "ols_hc3", np.arange(outcome.size))
    return SimpleNamespace(
        model=model,
        people=list(kept["participant_id"]),
        covariates=claim["covariates"] or (),
        cell_names=names,
    )


def make_nuisance(people: pd.DataFrame, claim: dict) -> np.ndarray:
    """A constant, and what the claim adjusts for."""
    columns = [np.ones(len(people))]
    if claim["covariates"]:
        columns += [people["group"] == "therapist", people["sex"] == "F", people["age"]]
    return np.column_stack(columns).astype(float)


def evaluate(claim: dict, design: SimpleNamespace, m: int) -> dict:
    """A row with the contract's columns; the numbers are plausible, no more."""
    y, x = design.model.outcome, design.model.tested
    slope = design.model.kind == "slope"
    centred = x - x.mean()
    estimate = float(centred @ y / (centred @ centred))
    residual = y - y.mean() - estimate * centred
    dof = y.size - 2
    error = math.sqrt(residual @ residual / dof / (centred @ centred))
    spread = math.sqrt(residual @ residual / dof)
    sign = -1 if claim["expect"] in {"less", "negative"} else 1
    statistic = estimate / error
    p = math.erfc(abs(statistic) / math.sqrt(2))
    sesoi = 0.3 if slope else 0.5
    bound = sesoi * (y.std(ddof=1) / x.std(ddof=1) if slope else spread)
    effect = statistic / math.sqrt(statistic**2 + dof) if slope else estimate / spread
    half = (1 / math.sqrt(dof - 1) if slope else error / spread) * 1.96
    equivalence = claim["expect"] in {"equivalent", "unrelated"}
    p_tost = 0.5 * math.erfc((bound - abs(estimate)) / error / math.sqrt(2))
    p_contradict = 0.5 * math.erfc(-(sign * estimate - bound) / error / math.sqrt(2))
    p, p_contradict = (p_tost, p) if equivalence else (p, p_contradict)
    verdict, flags, reason = (
        "inconclusive",
        "",
        f"{4 * y.size} people would decide it at the smallest effect of interest",
    )
    if min(1, p * m) < 0.05:
        verdict = (
            "supported"
            if equivalence or sign * estimate > 0 or claim["expect"] == "associated"
            else "contradicted"
        )
        reason = ""
    elif min(1, p_contradict * m) < 0.05:
        verdict, reason = "contradicted" if equivalence else "negligible", ""
    sizes = f"a={int((x == 1).sum())};b={int((x == 0).sum())}"
    return {
        "id": claim["id"],
        "family": claim["family"],
        "text": claim["text"],
        "n": y.size,
        "n_per_group": None if slope else sizes,
        "estimator": "ols_hc3" if "-" in claim["outcome"] else "welch",
        "estimate": estimate,
        "std_error": error,
        "dof": float(dof),
        "ci_low": estimate - 1.97 * error,
        "ci_high": estimate + 1.97 * error,
        "ci_family_low": estimate - 2.6 * error,
        "ci_family_high": estimate + 2.6 * error,
        "effect_size": effect,
        "effect_ci_low": effect - half,
        "effect_ci_high": effect + half,
        "p": p,
        "p_contradict": p_contradict,
        "p_permutation": None if equivalence else p,
        "p_family": min(1, p * m),
        "p_contradict_family": min(1, p_contradict * m),
        "p_family_maxt": None,
        "bayes_factor_10": None,
        "sesoi": sesoi,
        "sesoi_estimate": bound,
        "min_detectable": 2.9 * error / spread if not slope else 0.6,
        "verdict": verdict,
        "flags": flags,
        "reason": reason,
    }


def make_untestable(row: dict, reason: str) -> dict:
    """The same claim, refused."""
    kept = ("id", "family", "text", "n", "n_per_group", "sesoi")
    return {key: value if key in kept else None for key, value in row.items()} | {
        "verdict": "not testable",
        "reason": reason,
        "flags": "",
    }


def make_quality(cohort: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    scanned = cohort.iloc[np.r_[0:18, 52:70]]
    n = len(scanned)
    kept = np.clip(236 - rng.gamma(2, 9, n).astype(int), 60, 236)
    kept[5] = 88
    fd = scanned["mean_fd"].fillna(0.71).to_numpy()
    quality = pd.DataFrame(
        {
            "participant_id": scanned["participant_id"].to_numpy(),
            "session": None,
            "run": [f"{name}_task-rest" for name in scanned["participant_id"]],
            "n_volumes": 240,
            "n_retained": kept,
            "minutes_retained": kept * 2 / 60,
            "t_r": 2.0,
            "mean_fd": fd,
            "max_fd": fd * 6,
            "mean_dvars": rng.normal(30, 3, n),
            "rank": 180,
            "dof": np.maximum(kept - 178, 4),
            "mean_fd_source": "framewise displacement",
        }
    )
    rows = []
    for _, run in quality.iterrows():
        for roi in ROIS:
            share = 1.0 if roi != "oPFC" else float(np.clip(rng.beta(6, 2), 0, 1))
            rows.append(
                {
                    "participant_id": run["participant_id"],
                    "session": None,
                    "run": run["run"],
                    "roi": roi,
                    "coverage": share,
                    "n_voxels": int(33 * share),
                    "tsnr": float(rng.normal(70 if share == 1 else 35, 8)),
                }
            )
    return quality, pd.DataFrame(rows)


def make_flow() -> tuple[pd.DataFrame, pd.DataFrame]:
    flow = pd.DataFrame(
        [
            ("in the participants table", "therapist", 53, 0, None),
            ("in the participants table", "control", 93, 0, None),
            ("with images", "therapist", 19, 34, "no images in the derivatives"),
            ("with images", "control", 20, 73, "no images in the derivatives"),
            ("runs read", "therapist", 19, 0, None),
            ("runs read", "control", 19, 1, "truncated image"),
            ("motion and time", "therapist", 18, 1, "mean framewise displacement above the limit"),
            ("motion and time", "control", 18, 1, "too little time retained"),
            ("with usable edges", "therapist", 17, 1, "ROI coverage below the limit"),
            ("with usable edges", "control", 18, 0, None),
        ],
        columns=["stage", "group", "n", "n_excluded", "rule"],
    )
    ledger = pd.DataFrame(
        [
            (
                "sub-006",
                None,
                "sub-006_task-rest",
                "min_coverage",
                0.41,
                0.5,
                "share",
                "connect",
                "excluded",
                "oPFC: coverage 0.41, 0.5 needed (quality.min_coverage)",
            ),
            (
                "sub-060",
                None,
                "sub-060_task-rest",
                "min_retained_minutes",
                2.9,
                4.0,
                "minutes",
                "denoise",
                "excluded",
                "88 of 240 volumes retained (2.9 min), 4 min needed (censoring.min_retained_minutes)",
            ),
            (
                "sub-072",
                None,
                "sub-072_task-rest",
                "unreadable",
                None,
                None,
                None,
                "extract",
                "excluded",
                "volume 117 of 240: the gzip stream ends early",
            ),
            (
                "sub-004",
                None,
                None,
                "missing_items",
                2,
                0,
                "items",
                "cohort",
                "flagged",
                "PT: 2 items missing, 0 allowed",
            ),
        ],
        columns=[
            "participant_id",
            "session",
            "run",
            "rule",
            "value",
            "threshold",
            "unit",
            "stage",
            "decision",
            "reason",
        ],
    )
    return flow, ledger


def make_scores(cohort: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for score, instrument in SCORES.items():
        low, high = RANGES.get(score, RANGES.get(instrument))
        values = cohort[score]
        rows.append(
            {
                "score": score,
                "instrument": instrument,
                "subscale": score,
                "n": int(values.notna().sum()),
                "n_missing": int(values.isna().sum()),
                "mean": values.mean(),
                "sd": values.std(),
                "min": values.min(),
                "max": values.max(),
                "possible_min": low,
                "possible_max": high,
                "alpha": 0.74,
            }
        )
    return pd.DataFrame(rows)


def make_tables(seed: int = 7) -> tuple[dict[str, pd.DataFrame], dict, dict]:
    """Group tables, settings and designs of one plausible study."""
    rng = np.random.default_rng(seed)
    settings, cohort = make_settings(), make_cohort(rng)
    designs = {claim["id"]: select_people(claim, cohort) for claim in settings["claims"]}
    sizes = pd.Series([claim["family"] for claim in settings["claims"]]).value_counts()
    rows = [
        evaluate(claim, designs[claim["id"]], int(sizes[claim["family"]])) for claim in settings["claims"]
    ]
    refused = [index for index, row in enumerate(rows) if row["id"] in {"S1a", "S1b", "S1c", "S1d"}][:1]
    for index in refused:
        rows[index] = make_untestable(
            rows[index],
            "the power of the equivalence test at zero is 0.02 with 26 and 26 people; 0.05 needed",
        )
        designs[rows[index]["id"]] = SimpleNamespace(model=None, people=[])
    claims = pd.DataFrame(rows)
    quality, coverage = make_quality(cohort, rng)
    flow, exclusions = make_flow()
    sensitivity = pd.DataFrame(
        [
            {
                "claim": row["id"],
                "analysis": name,
                "n": row["n"],
                "estimate": row["estimate"] * factor,
                "std_error": row["std_error"],
                "dof": row["dof"],
                "ci_low": row["ci_low"] * factor,
                "ci_high": row["ci_high"] * factor,
                "p": row["p"],
                "effect_size": row["effect_size"],
                "note": note,
            }
            for row in rows
            if row["id"][0] in "FB"
            for name, factor, note in (
                ("without mean_fd", 0.97, None),
                ("slope without group", -0.4, "sign differs within groups"),
            )
        ]
    )
    edges = cohort.melt(["participant_id", "session"], list(EDGES), "edge", "z").dropna(subset="z")
    edges = edges.assign(r=np.tanh(edges["z"]), z_variance=0.03, z_variance_ac=0.04, dof=40.0, n_runs=1)
    tables = {
        "cohort": cohort,
        "edges": edges,
        "claims": claims,
        "quality": quality,
        "coverage": coverage,
        "flow": flow,
        "exclusions": exclusions,
        "scores": make_scores(cohort),
        "sensitivity": sensitivity,
    }
    return tables, settings, designs


def write_group(
    folder: Path, tables: dict[str, pd.DataFrame], settings: dict, *, simulated: bool = True
) -> None:
    """Write group/ and provenance.json as the steps do."""
    for name, table in tables.items():
        write_tsv(folder / "group" / f"{name}.tsv", {column: table[column].tolist() for column in table})
    definitions = {claim["id"]: claim for claim in settings["claims"]}
    rows = [
        {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        | definitions[row["id"]]
        for row in tables["claims"].astype(object).where(tables["claims"].notna(), None).to_dict("records")
    ]
    write_json(folder / "group" / "claims.json", {"simulated": simulated, "alpha": 0.05, "claims": rows})
    write_json(
        folder / "provenance.json",
        {
            "versions": {"rsconn": "0.1.0", "numpy": "2.4.6"},
            "config_hash": "ab" * 32,
            "claims_hash": "cd" * 32,
            "inputs": {"participants.tsv": "ef" * 32},
        },
    )
    write_text(folder / "methods.md", "# Methods\n\nText.\n")
