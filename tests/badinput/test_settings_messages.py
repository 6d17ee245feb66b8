"""Every mistake in a config, ROI, claims or strategy file has one clear line; each line has its test here.

Each case changes one place of the demo study, and states the whole line that must come out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rsconn.errors import ProblemsError, SettingsError, UserError
from rsconn.settings.config import read_config

ABSENT = object()
Content = dict[str, Any]


@pytest.fixture(scope="module")
def demo(root: Path) -> str:
    """The demo study's files as JSON text, which is YAML, too; nothing shares an anchor here."""
    study = root / "config" / "studies" / "olalde-mathieu-2022"
    files = {
        "config": root / "config" / "config.yaml",
        "rois": study / "rois.yaml",
        "claims": study / "claims.yaml",
    }
    contents = {name: yaml.safe_load(path.read_text(encoding="utf-8")) for name, path in files.items()}
    contents["config"] |= {"rois": "rois.yaml", "claims": "claims.yaml"}
    contents["claims"] = {claim["id"]: claim for claim in contents["claims"]}
    return json.dumps(contents)


@pytest.fixture
def write_study(
    demo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Content], None]], Path]:
    """Write the demo study to an empty folder after a function has changed its contents; return its config."""

    def write(change: Callable[[Content], None]) -> Path:
        contents = json.loads(demo)
        change(contents)
        contents["claims"] = list(contents["claims"].values())
        for name, content in contents.items():
            (tmp_path / f"{name}.yaml").write_text(json.dumps(content), encoding="utf-8")
        return tmp_path / "config.yaml"

    monkeypatch.chdir(tmp_path)
    return write


def change(place: str, value: Any) -> Callable[[Content], None]:
    """Return a function that sets, or removes, the value at a place such as ``config/input/t_r``."""

    def apply(contents: Content) -> None:
        *parents, last = place.split("/")
        target: Any = contents
        for part in parents:
            if isinstance(target, dict) and part not in target:
                target[part] = {}
            target = target[int(part)] if isinstance(target, list) else target[part]
        if value is ABSENT:
            del target[last]
        else:
            target[int(last) if isinstance(target, list) else last] = value

    return apply


def read_problems(path: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        read_config(path)
    assert isinstance(caught.value, (SettingsError, ProblemsError))
    return str(caught.value).splitlines()


CONFIG_CASES = [
    # --- keys
    ("inputs", {}, "inputs: unknown key; did you mean 'input'?"),
    ("input/filter", {}, "input.filter: unknown key; did you mean 'filters'?"),
    ("denoising/high_pas_hz", 0.01, "denoising.high_pas_hz: unknown key; did you mean 'high_pass_hz'?"),
    ("denoising/High_Pass_Hz", 0.01, "denoising.High_Pass_Hz: unknown key; did you mean 'high_pass_hz'?"),
    ("inference/sesoi/d", 0.5, "inference.sesoi.d: unknown key; valid: g, partial_r"),
    ("scores/FS/subscal", "FS", "scores.FS.subscal: unknown key; did you mean 'subscale'?"),
    ("denoising/acompcor", {"gm": 5}, "denoising.acompcor.gm: unknown key; valid: wm, csf"),
    ("rois", ABSENT, "rois: missing; this key is required"),
    ("input/participants", ABSENT, "input.participants: missing; this key is required"),
    ("groups/levels", ABSENT, "groups.levels: missing; this key is required"),
    # --- kinds of value
    ("quality", [1], "quality: a list of 1 found, keys with values needed"),
    ("scores", "FS", "scores: 'FS' found, keys with values needed"),
    ("input", "data", "input: 'data' found, keys with values needed"),
    ("rois", "", "rois: an empty path"),
    ("input/t_r", "fast", "input.t_r: 'fast' found, a number needed"),
    ("input/t_r", "2,0", "input.t_r: '2,0' found, a number needed"),
    ("input/t_r", "inf", "input.t_r: 'inf' found, a finite number needed"),
    ("input/t_r", "true", "input.t_r: 'true' found, a number needed"),
    ("input/t_r", 0, "input.t_r: 0 found, a number greater than 0 needed"),
    ("input/decimal", ";", "input.decimal: ';' found; one of: ., ,"),
    ("input/filters", ["rest"], "input.filters: a list of 1 found, keys with values needed"),
    ("input/filters/task", {"a": "b"}, "input.filters.task[1]: keys a found, text needed"),
    ("input/values", {"sex": ["F"]}, "input.values.sex: a list of 1 found, keys with values needed"),
    ("input/accept_space_mismatch", "maybe", "input.accept_space_mismatch: 'maybe' found, true or false needed"),
    ("sessions", "separatt", "sessions: 'separatt' found; did you mean 'separate'?"),
    ("connectivity/kind", "pearsn", "connectivity.kind: 'pearsn' found; did you mean 'pearson'?"),
    ("connectivity/kind", "tangent", "connectivity.kind: 'tangent' found; one of: pearson, partial"),
    ("denoising/mode", "nilear", "denoising.mode: 'nilear' found; did you mean 'nilearn'?"),
    ("denoising/motion", 7, "denoising.motion: 7 found; one of: 0, 6, 12, 24"),
    ("denoising/wm_csf", 3, "denoising.wm_csf: 3 found; one of: 0, 2, 4, 8"),
    ("denoising/global_signal", 3, "denoising.global_signal: 3 found, true, false or one of 0, 1, 2, 4 needed"),
    ("denoising/global_signal", "perhaps",
     "denoising.global_signal: 'perhaps' found, true, false or one of 0, 1, 2, 4 needed"),
    ("denoising/acompcor", {"wm": -1}, "denoising.acompcor.wm: -1 found, a number of at least 0 needed"),
    ("denoising/acompcor_variance", 50, "denoising.acompcor_variance: 50 found, a number less than 1 needed"),
    ("denoising/smoothing_fwhm_mm", -6, "denoising.smoothing_fwhm_mm: -6 found, a number of at least 0 needed"),
    ("censoring/fd_threshold_mm", -0.5, "censoring.fd_threshold_mm: -0.5 found, a number greater than 0 needed"),
    ("censoring/fd_threshold_mm", 0, "censoring.fd_threshold_mm: 0 found, a number greater than 0 needed"),
    ("censoring/min_degrees_of_freedom", 2,
     "censoring.min_degrees_of_freedom: 2 found, a number of at least 3 needed"),
    ("censoring/min_degrees_of_freedom", 15.5,
     "censoring.min_degrees_of_freedom: 15.5 found, a whole number needed"),
    ("censoring/max_share_lost", 10, "censoring.max_share_lost: 10 found, a number of at most 1 needed"),
    ("quality/min_coverage", "50 %", "quality.min_coverage: '50 %' found, a number needed"),
    ("quality/min_coverage", 50, "quality.min_coverage: 50 found, a number of at most 1 needed"),
    ("inference/alpha", 5, "inference.alpha: 5 found, a number less than 1 needed"),
    ("inference/alpha", 0, "inference.alpha: 0 found, a number greater than 0 needed"),
    ("inference/n_permutations", -1, "inference.n_permutations: -1 found, a number of at least 0 needed"),
    ("inference/exchange_whole", "participant_id",
     ("inference: exchange_whole: 'participant_id' found, a column of families needed; "
      "null where people are unrelated")),
    ("inference", {"exchange_whole": "site", "exchange_within": "site"},
     ("inference: exchange_whole: 'site' is exchange_within's column too; its people can be exchanged with each "
      "other or stay together, not both (leave one out)")),
    ("inference/seed", "random", "inference.seed: 'random' found, a whole number needed"),
    ("inference/sesoi/g", 0, "inference.sesoi.g: 0 found, a number greater than 0 needed"),
    ("inference/sesoi/partial_r", 1, "inference.sesoi.partial_r: 1 found, a number less than 1 needed"),
    ("batch_size", 0, "batch_size: 0 found, a number of at least 1 needed"),
    # --- conflicts inside a section
    ("input/parcellated", "p", "input: both of derivatives and parcellated found, one of them needed"),
    ("input/derivatives", ABSENT,
     ("input: neither of derivatives and parcellated found, one of them needed; "
      "a study of scores only has no rois, edges, seeds")),
    ("input/denoised", "true", "input: denoised: goes with parcellated only; images are always denoised here"),
    ("denoising/low_pass_hz", 0.01, "denoising: high_pass_hz 0.01 is not below low_pass_hz 0.01"),
    ("denoising/high_pass_hz", 0.2, "denoising: high_pass_hz 0.2 is not below low_pass_hz 0.08"),
    ("groups/levels", {"therapist": 1, "control": 1},
     "groups: levels: two levels have the value '1'; values must differ"),
    ("groups/levels", {}, "groups.levels: no keys found, at least 1 needed"),
    ("covariates/edge", ["age", "sex", "age"], "covariates: edge: 'age' occurs twice"),
    # --- scores
    ("scores/FS/instrument", "IRR",
     "scores.FS.instrument: 'IRR' found; did you mean 'IRI'?, or the path of a YAML file"),
    ("scores/FS/subscale", "FX", "scores.FS: subscale: 'FX' is not of the IRI; one of: FS, PT, EC, PD"),
    ("scores/FS/subscale", ABSENT, "scores.FS: subscale: missing; instrument and subscale go together"),
    ("scores/FS/coding", "itemsreversed", "scores.FS.coding: 'itemsreversed' found; did you mean 'items_reversed'?"),
    ("scores/FS/coding", "sum",
     "scores.FS: coding: sum found; items (as answered) or items_reversed (reversed already) needed"),
    ("scores/FS/column", "fs", "scores.FS: both of column and items found, one of them needed"),
    ("scores/FS/items", ABSENT, "scores.FS: neither of column and items found, one of them needed"),
    ("scores/FS/items", "iri",
     "scores.FS.items: 'iri' found, a column name with one place for the number, such as 'iri_{:02d}'"),
    ("scores/FS/items", "{0.__class__}",
     "scores.FS.items: '{0.__class__}' found, a column name with one place for the number, such as 'iri_{:02d}'"),
    ("scores/FS/range", [4, 0],
     "scores.FS: range: [4, 0] found, the lowest value first and then a higher one needed"),
    ("scores/FS/range", [4], "scores.FS.range[2]: missing; one value more is needed"),
    ("scores/X", {"column": "x", "coding": "items"},
     "scores.X: coding: items found with column; sum or mean needed, or items: a pattern"),
    ("scores/X", {"instrument": "IRI", "subscale": "FS", "column": "fs"},
     "scores.X: coding: missing; say whether column 'fs' holds the items' sum or mean"),
    ("scores/X", {"items": "x_{}", "coding": "items"},
     "scores.X: instrument: missing; items need an instrument and a subscale, which say which items count"),
    ("scores/X", {"column": "x", "max_missing_items": 1}, "scores.X: max_missing_items: goes with items only"),
    ("scores/a b", {"column": "x"},
     "scores.a b (the name): 'a b' is not a safe name; letters, digits and _ . + - needed, a letter or digit first"),
    ("scores/age", {"column": "age"}, "scores: 'age' is a column of the cohort table already; another name needed"),
    ("scores/LAI-dmPFC", {"column": "x"}, "scores: 'LAI-dmPFC' is an edge already; another name needed"),
    # --- edges and seeds
    ("edges", ["LAI-dmPFX", "rACC-oPFC"], "edges: 'LAI-dmPFX' names no ROI 'dmPFX'; did you mean 'dmPFC'?"),
    ("edges", ["LAI-dmPFC", "rACC-oPFC", "LAI"],
     "edges: 'LAI' is no pair of ROIs; two names joined by a hyphen needed, such as LAI-dmPFC"),
    ("edges", ["LAI-dmPFC", "rACC-oPFC", "LAI-LAI"], "edges: 'LAI-LAI' joins a ROI with itself; two ROIs needed"),
    ("edges", ["LAI-dmPFC", "rACC-oPFC", "dmPFC-LAI"],
     "edges: 'dmPFC-LAI' is the pair 'LAI-dmPFC' again; each pair once"),
    ("seeds", ["lai"], "seeds: no ROI 'lai'; did you mean 'LAI'?"),
    ("seeds", ["LAI", "LAI"], "seeds: 'LAI' occurs twice"),
    # --- other sections
    ("input/filters/space", "MNI152NLin6Asym",
     ("input.filters.space: 'MNI152NLin6Asym' found, the ROIs are in 'MNI152NLin2009cAsym' (rois.yaml); "
     "set input.accept_space_mismatch: true to accept it")),
    ("input/filters/space", "fsLR",
     ("input.filters.space: 'fsLR' found, the ROIs are in 'MNI152NLin2009cAsym' (rois.yaml); "
     "dense series (CIFTI) and volumes have other regions: change one of the two")),
    ("denoising/strategy", "acompcorr", "denoising.strategy: no strategy 'acompcorr'; did you mean 'acompcor'?"),
    ("denoising/strategy", "../../etc/passwd",
     ("denoising.strategy: no strategy '../../etc/passwd'; there are: 36P, acompcor, acompcor50, motion12, motion24, "
     "motion6, simple12, simple24, simple6")),
    ("input/values", {"group": {"therapist": "expert"}},
     "groups.levels.therapist: 'therapist' is called 'expert' after input.values; that name needed"),
    ("input/derivatives", ["a", "a"], "input: a is listed twice"),
    ("input/phenotype", ["a", "a"], "input.phenotype: a is listed twice"),
    ("output_dir", "data/demo/derivatives/fmriprep",
     "output_dir: data/demo/derivatives/fmriprep is an input dataset; another folder needed"),
]  # fmt: skip


def test_groups_are_no_families(write_study: Any) -> None:
    def apply(contents: Content) -> None:
        change("config/groups", {"column": "arm", "levels": {"therapist": "1", "control": "2"}})(contents)
        change("config/inference/exchange_whole", "arm")(contents)

    line = (
        "inference.exchange_whole: 'arm' is the column of groups, a column of families needed; "
        "null where people are unrelated"
    )
    assert f"config.yaml: {line}" in read_problems(write_study(apply))


@pytest.mark.parametrize(
    ("place", "value", "line"), CONFIG_CASES, ids=[case[2][:60] for case in CONFIG_CASES]
)
def test_mistake_in_config(write_study: Any, place: str, value: Any, line: str) -> None:
    assert f"config.yaml: {line}" in read_problems(write_study(change(f"config/{place}", value)))


ROI_CASES = [
    ("rois/name", "my-set",
     "name: 'my-set' goes into file names as a BIDS label; letters and digits only, such as 'myset'"),
    ("rois/name", "../x", "name: '../x' goes into file names as a BIDS label; letters and digits only, such as 'x'"),
    ("rois/spacing", 1, "spacing: unknown key; did you mean 'space'?"),
    ("rois/space", ABSENT, "space: missing; ROI 'LAI' is in a template; name its space, as MNI152NLin2009cAsym"),
    ("rois/rois", [], "rois: a list of 0 found, at least 1 needed"),
    ("rois/rois/0/name", "../LAI",
     "rois[1].name: '../LAI' is not a safe name; letters, digits and _ . + - needed, a letter or digit first"),
    ("rois/rois/0/name", "<b>LAI</b>",
     "rois[1].name: '<b>LAI</b>' is not a safe name; letters, digits and _ . + - needed, a letter or digit first"),
    ("rois/rois/0/name", "LAI;rm",
     "rois[1].name: 'LAI;rm' is not a safe name; letters, digits and _ . + - needed, a letter or digit first"),
    ("rois/rois/1/name", "LAI", "ROI 'LAI' occurs twice; names must differ"),
    ("rois/rois/0/sphre", {}, "rois[1].sphre: unknown key; did you mean 'sphere'?"),
    ("rois/rois/0/sphere", ABSENT, "rois[1]: no region found, one of sphere, mask, atlas, map, column needed"),
    ("rois/rois/0/mask", "m.nii.gz", "rois[1]: sphere and mask found, one of sphere, mask, atlas, map, column needed"),
    ("rois/rois/0/sphere/radius_mm", 0, "rois[1].sphere.radius_mm: 0 found, a number greater than 0 needed"),
    ("rois/rois/0/sphere/radius_mm", 600, "rois[1].sphere.radius_mm: 600 found, a number of at most 100 needed"),
    ("rois/rois/0/sphere/center_mm", [1, 2], "rois[1].sphere.center_mm[3]: missing; one value more is needed"),
    ("rois/rois/0/sphere/center_mm", [1, 2, 300],
     "rois[1].sphere.center_mm: [1.0, 2.0, 300.0] found, MNI millimetres within +-150 needed"),
    ("rois/rois/0/sphere/center", [1, 2, 3], "rois[1].sphere.center: unknown key; did you mean 'center_mm'?"),
    ("rois/rois/0/atlas", {"image": "a.nii", "label": ["x"]},
     "rois[1].atlas.label: a list of 1 found, a label's number or name needed"),
    ("rois/rois/0/atlas", {"image": "a.nii", "label": "PCC"},
     "rois[1].atlas: label 'PCC' is a name; labels_tsv needed to find its number"),
    ("rois/surfaces", {"left": "l.surf.gii"}, "surfaces.right: missing; this key is required"),
    ("rois/surfaces", {"left": "l.surf.gii", "right": "r.surf.gii", "lh": 1},
     "surfaces.lh: unknown key; valid: left, right"),
    ("rois/rois/0/map", {"image": "a.nii", "index": -1}, "rois[1].map.index: -1 found, a number of at least 0 needed"),
    ("rois/rois/0/variants", {}, "rois[1].variants: no size found; radius_mm or smoothing_fwhm_mm, or both, needed"),
    ("rois/rois/0/variants", {"radius_mm": [4, 8, 4]}, "rois[1].variants: radius_mm: 4 occurs twice"),
    ("rois/rois/0/variants", {"radius_mm": [0]},
     "rois[1].variants.radius_mm[1]: 0 found, a number greater than 0 needed"),
    ("rois/rois/0/variants", {"radius": 4}, "rois[1].variants.radius: unknown key; did you mean 'radius_mm'?"),
    ("rois/rois/0", {"name": "LAI", "mask": "m.nii.gz", "variants": {"radius_mm": 4}},
     "rois[1]: variants.radius_mm: only a sphere has a radius; smoothing_fwhm_mm alone needed"),
    ("rois/rois/0", {"name": "LAI", "column": "A", "variants": {"smoothing_fwhm_mm": 4}},
     "rois[1]: variants: a column is a series already; a region of an image needed"),
    ("rois/rois", [{"name": "A", "sphere": {"center_mm": [0, 0, 0]}, "variants": {"radius_mm": 8}},
                   {"name": "A_R8", "sphere": {"center_mm": [0, 0, 0]}}], "ROI 'A_R8' occurs twice; names must differ"),
    ("rois/circular", {"contrast": "group"}, "circular.data: missing; this key is required"),
    ("rois/circular", {"contrast": "grroup", "data": "this"},
     "circular.contrast: no claim knows a column 'grroup'; did you mean 'group'?"),
    ("rois", "LAI", "'LAI' found, a list of ROIs or the key rois needed"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "line"), ROI_CASES, ids=[case[2][:60] for case in ROI_CASES])
def test_mistake_in_rois(write_study: Any, place: str, value: Any, line: str) -> None:
    assert f"rois.yaml: {line}" in read_problems(write_study(change(place, value)))


def test_circular_data_elsewhere_needs_no_known_column(write_study: Any) -> None:
    path = write_study(change("rois/circular", {"contrast": "grroup", "data": "Smith 2009"}))
    assert read_config(path).rois.circular is not None


CLAIM_CASES = [
    ("F1/expects", "greater", "claim F1 expects: unknown key; did you mean 'expect'?"),
    ("F1/text", ABSENT, "claim F1 text: missing; this key is required"),
    ("F1/text", "", "claim F1 text: '' found, some text needed"),
    ("F1/id", "P1", "id: 'P1' occurs twice; ids must differ"),
    ("F1/id", "F1/../x",
     "claim F1/../x id: 'F1/../x' is not a safe name; letters, digits and _ . + - needed, a letter or digit first"),
    ("F1/id", "$(rm)", ("claim $(rm) id: '$(rm)' is not a safe name; letters, digits and _ . + - needed, "
     "a letter or digit first")),
    ("F1/family", "a b",
     "claim F1 family: 'a b' is not a safe name; letters, digits and _ . + - needed, a letter or digit first"),
    ("F1/outcome", "LAI-dmPFX", ("claim F1 outcome: 'LAI-dmPFX' is neither an edge nor a score of the config; "
     "did you mean 'LAI-dmPFC'?")),
    ("F1/outcome", "dmPFC-LAI", "claim F1 outcome: 'dmPFC-LAI' is called 'LAI-dmPFC' in edges; that name needed"),
    ("B1/predictor", "QQ", ("claim B1 predictor: 'QQ' is neither an edge nor a score of the config; "
     "valid: LAI-dmPFC, rACC-oPFC, FS, PT, EC, PD, CR, ES")),
    ("B1/predictor", "LAI-dmPFC", "claim B1: outcome and predictor are both 'LAI-dmPFC'"),
    ("B1/predictor", ABSENT, "claim B1: none of predictor, contrast and than found, one of them needed"),
    ("B1/between", {"column": "sex", "a": "F", "b": "M"},
     ("claim B1: predictor and between do not go together; one of contrast; predictor; contrast + paired; "
      "predictor + contrast; contrast + between; contrast + paired + between; contrast of levels; than needed")),
    ("F1/than", 0, ("claim F1: contrast and than do not go together; one of contrast; predictor; contrast + paired; "
     "predictor + contrast; contrast + between; contrast + paired + between; contrast of levels; than needed")),
    ("F1/than", "much", "claim F1 than: 'much' found, a number needed"),
    ("F1/between", {"column": "sex", "a": "F", "b": "X", "c": "Y"},
     "claim F1 between.c: unknown key; valid: column, a, b, levels"),
    ("F1/between", {"column": "group", "a": "therapits", "b": "control"},
     "claim F1 between.a: 'therapits' is no level of groups; did you mean 'therapist'?"),
    ("F1/between", {"column": "group", "a": "therapist", "b": "control"},
     "claim F1: contrast and between are the same; two different contrasts needed"),
    ("F1/betweens", {"column": "sex", "a": "F", "b": "M"}, "claim F1 betweens: unknown key; did you mean 'between'?"),
    ("F1/expect", "bigger", ("claim F1 expect: 'bigger' found; one of: greater, less, different, equivalent, positive, "
     "negative, associated, unrelated")),
    ("F1/expect", "greter", "claim F1 expect: 'greter' found; did you mean 'greater'?"),
    ("F1/expect", "positive", ("claim F1: expect: 'positive' does not go with a contrast; "
     "one of greater, less, different, equivalent needed")),
    ("B1/expect", "less", ("claim B1: expect: 'less' does not go with a predictor; "
     "one of positive, negative, associated, unrelated needed")),
    ("F1/alpha", 1.5, "claim F1 alpha: 1.5 found, a number less than 1 needed"),
    ("F1/sesoi", -1, "claim F1 sesoi: -1 found, a number greater than 0 needed"),
    ("B1/sesoi", 1.2, "claim B1: sesoi: 1.2 found, a partial r between 0 and 1 needed for a predictor"),
    ("F1/covariates", ["age", "age"], "claim F1: covariates: 'age' occurs twice"),
    ("B1/covariates", ["PT"], "claim B1: covariates: 'PT' is the claim's outcome or predictor already"),
    ("F1/covariates", ["participant_id"],
     "claim F1 covariates: 'participant_id' says who a person is; a column of values needed"),
    # --- contrasts
    ("F1/contrast/a", "therapits", "claim F1 contrast.a: 'therapits' is no level of groups; did you mean 'therapist'?"),
    ("F1/contrast/b", "x", "claim F1 contrast.b: 'x' is no level of groups; levels: therapist, control"),
    ("F1/contrast/b", "therapist", "claim F1 contrast: a and b are both 'therapist'; two different sides needed"),
    ("F1/contrast/b", ABSENT, "claim F1 contrast: b: missing; this key is required"),
    ("F1/contrast/b", ["control"], "claim F1 contrast.b: a list of 1 found, a level or {where: condition} needed"),
    ("F1/contrast/coluumn", "x", "claim F1 contrast.coluumn: unknown key; did you mean 'column'?"),
    ("F1/contrast/column", ABSENT, "claim F1 contrast: column: missing; 'therapist' is a level of some column"),
    ("F1/contrast/column", "age",
     "claim F1 contrast.column: 'age' holds numbers; categories needed, or predictor: age"),
    ("F1/contrast/column", "PT", "claim F1 contrast.column: 'PT' holds numbers; categories needed, or predictor: PT"),
    ("F1/contrast/column", "session",
     "claim F1 session: needs sessions: separate in the config; combine leaves one row per person"),
    ("S4/contrast/column", "sex",
     "claim S4 contrast: a contrast of a column needs two levels; with {where: ...} leave column out"),
    ("S4/contrast/a/were", "x", "claim S4 contrast.a: were: unknown key; did you mean 'where'?"),
    ("S4/contrast/a/where", "",
     "claim S4 contrast.a: where: a condition needed, such as group == 'control' and sex == 'F'"),
    ("S4/contrast/a/where", "group == 'therapits'",
     "claim S4 contrast.a.where: 'therapits' is no level of groups; did you mean 'therapist'?"),
    ("S4/contrast/a/where", "group = 'x'",
     "claim S4 contrast.a: \"group = 'x'\": '=' found at character 7, == needed"),
    ("F1/paired", "true", "claim F1 paired: needs sessions: separate in the config; it says combine"),
    ("B1/paired", "true",
     "claim B1: paired: a contrast of a column needed, such as {column: session, a: '2', b: '1'}"),
    # --- samples
    ("B1/sample", "group == 'terapist'",
     "claim B1 sample: 'terapist' is no level of groups; did you mean 'therapist'?"),
    ("B1/sample", "session == '1'",
     "claim B1 session: needs sessions: separate in the config; combine leaves one row per person"),
    ("B1/sample", "group == therapist",
     'claim B1 sample: "group == therapist": \'therapist\' found at character 10, a number, or text in quotes needed'),
    ("B1/sample", "__import__('os').system('x')",
     ("claim B1 sample: \"__import__('os').system('x')\": \".system('x')\" found at character 17, "
     "a column with such characters needs backticks, as in `LAI-dmPFC`")),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "line"), CLAIM_CASES, ids=[case[2][:60] for case in CLAIM_CASES])
def test_mistake_in_claims(write_study: Any, place: str, value: Any, line: str) -> None:
    assert f"claims.yaml: {line}" in read_problems(write_study(change(f"claims/{place}", value)))


def test_levels_renamed_by_input_values_are_told(write_study: Any) -> None:
    path = write_study(change("config/input/values", {"sex": {"F": "woman", "M": "man"}}))
    problems = read_problems(path)
    assert (
        "claims.yaml: claim S2 contrast.a: 'F' of sex is called 'woman' after input.values; that name needed"
        in problems
    )
    assert (
        "claims.yaml: claim S4 contrast.a.where: 'M' of sex is called 'man' after input.values; that name needed"
        in problems
    )


def test_claims_on_groups_need_the_groups_section(write_study: Any) -> None:
    problems = read_problems(write_study(change("config/groups", ABSENT)))
    for place in ("P1 contrast.column", "B1 sample", "S4 contrast.a.where", "B3 covariates"):
        assert f"claims.yaml: claim {place}: 'group' needs the groups section of the config" in problems


PARCELLATED_CASES = [
    ({"input": {"parcellated": "p", "participants": "p.tsv"}},
     "config.yaml: input: denoised: missing; with parcellated say whether the series are denoised: true or false"),
    ({}, "config.yaml: rois: ROI 'LAI' needs images; column: NAME needed with input.parcellated"),
    ({"denoising": {"smoothing_fwhm_mm": 6}},
     "config.yaml: denoising.smoothing_fwhm_mm: parcellated series cannot be smoothed; 0 needed"),
    ({"seeds": ["LAI"]}, "config.yaml: seeds: seed maps need images; remove seeds, or give input.derivatives"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "line"), PARCELLATED_CASES)
def test_mistake_with_parcellated_input(write_study: Any, keys: Content, line: str) -> None:
    given = {"input": {"parcellated": "p", "denoised": "true", "participants": "p.tsv"}} | keys
    assert line in read_problems(write_study(lambda contents: contents["config"].update(given)))


SCORES_ONLY_CASES = [
    ({"seeds": ["LAI"]}, ("config.yaml: input: neither of derivatives and parcellated found, one of them needed; "
     "a study of scores only has no seeds")),
    ({"scores": None}, "config.yaml: scores: missing; without images there is nothing else to analyse"),
    ({}, ("claims.yaml: claim F1 outcome: 'LAI-dmPFC' is neither an edge nor a score of the config; "
     "valid: FS, PT, EC, PD, CR, ES")),
    ({"input": {"participants": "p.tsv", "denoised": "true"}},
     "config.yaml: input: denoised: goes with parcellated only; images are always denoised here"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "line"), SCORES_ONLY_CASES)
def test_mistake_in_a_study_of_scores_only(write_study: Any, keys: Content, line: str) -> None:
    given = {"input": {"participants": "p.tsv"}, "rois": None, "edges": None, "seeds": None} | keys
    assert line in read_problems(write_study(lambda contents: contents["config"].update(given)))


def test_columns_need_parcellated_input(write_study: Any) -> None:
    path = write_study(change("rois/rois/0", {"name": "LAI", "column": "A"}))
    line = "config.yaml: rois: ROI 'LAI' is a table's column; a sphere, mask, atlas or map needed"
    assert read_problems(path) == [line]


def test_seed_that_is_no_label(write_study: Any) -> None:
    def rename(contents: Content) -> None:
        contents["rois"]["rois"].append({"name": "L_AI", "sphere": {"center_mm": [0, 0, 0]}})
        contents["config"]["seeds"] = ["L_AI"]

    line = (
        "config.yaml: seeds: 'L_AI' goes into file names as a BIDS label; "
        "letters and digits only, such as 'LAI'"
    )
    assert read_problems(write_study(rename)) == [line]


def test_one_roi_alone(write_study: Any) -> None:
    def keep_one(contents: Content) -> None:
        contents["rois"]["rois"] = contents["rois"]["rois"][:1]
        contents["config"] |= {"edges": [], "seeds": [], "claims": None}

    assert read_problems(write_study(keep_one)) == [
        "config.yaml: rois: one ROI and no seeds leave nothing to compute; two ROIs or a seed needed"
    ]


FILE_CASES = [
    ("config.yaml", "", "config.yaml: the file is empty"),
    ("config.yaml", "# nothing\n", "config.yaml: the file is empty"),
    ("config.yaml", "- a\n", "config.yaml: a list of 1 found, keys such as input and rois needed"),
    ("config.yaml", "a: 1\na: 2\n", "config.yaml: line 2: key 'a' is written twice"),
    ("config.yaml", "a: [1\n", "config.yaml: line 2: expected ',' or ']', but got '<stream end>'"),
    ("config.yaml", "a:\n\tb: 1\n", "config.yaml: line 2: found character '\\t' that cannot start any token"),
    ("config.yaml", "[a, b]: 1\n", "config.yaml: line 1: a key must be plain text"),
    ("config.yaml", "a: !!python/object/apply:os.system [x]\n",
     ("config.yaml: line 1: tag "
     "'tag:yaml.org,2002:python/object/apply:os.system' found; plain values needed")),
    ("rois.yaml", "", "rois.yaml: the file is empty (rois)"),
    ("claims.yaml", "a: b\n", "claims.yaml: keys a found, a list of claims needed"),
    ("claims.yaml", "- P1\n", "claims.yaml: claim 1: 'P1' found, keys with values needed"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "line"), FILE_CASES, ids=[case[2][:60] for case in FILE_CASES])
def test_file_that_is_not_what_it_should_be(write_study: Any, name: str, text: str, line: str) -> None:
    path = write_study(lambda _: None)
    path.with_name(name).write_text(text)
    assert line in read_problems(path)


def test_absent_files(write_study: Any, tmp_path: Path) -> None:
    path = write_study(change("config/rois", "nowhere.yaml"))
    assert read_problems(path) == ["nowhere.yaml: no such file (rois)"]
    assert read_problems(tmp_path / "none.yaml") == ["none.yaml: no such file"]
    assert read_problems(tmp_path) == [
        f"{tmp_path.relative_to(Path.cwd())}: Is a directory; a readable YAML file was needed"
    ]


def test_file_that_is_not_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_bytes("größe: 1".encode("latin-1"))
    assert read_problems(Path("config.yaml")) == ["config.yaml: not UTF-8 text; save the file as UTF-8"]


STRATEGY_CASES = [
    ("motions: 6", "mine.yaml: motions: unknown key; did you mean 'motion'?"),
    ("motion: 8", "mine.yaml: motion: 8 found; one of: 0, 6, 12, 24"),
    ("name: other", "mine.yaml: name: 'other' found, the file's name 'mine' needed"),
    ("{acompcor: {wm: 5}, acompcor_variance: 0.5}",
     "mine.yaml: acompcor and acompcor_variance are both given; one of them needed"),
    ("- 6", "mine.yaml: a list of 1 found, keys with values needed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), STRATEGY_CASES)
def test_mistake_in_a_strategy_of_ones_own(write_study: Any, tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    assert read_problems(write_study(change("config/denoising/strategy", "mine.yaml"))) == [line]


def test_every_mistake_is_told_at_once(write_study: Any) -> None:
    def spoil(contents: Content) -> None:
        contents["config"]["quality"]["min_coverage"] = "much"
        contents["config"]["denoising"]["mode"] = "x"
        contents["rois"]["rois"][0]["sphere"]["radius_mm"] = "wide"
        contents["claims"]["P1"]["expect"] = "more"
        contents["claims"]["P2"]["expect"] = "more"

    problems = read_problems(write_study(spoil))
    assert [problem.split(":")[0] for problem in problems] == [
        "config.yaml",
        "config.yaml",
        "rois.yaml",
        "claims.yaml",
        "claims.yaml",
    ]
