"""From a finished run's map to a ROI set, and what a config that uses the set may claim."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rsconn.files.tables import read_tsv

pytestmark = pytest.mark.workflow
# 12 people at 12 mm have nothing to find: alpha and the threshold are such that something is found all the same.
CHANGED = {"seeds": ["LAI"], "maps": {"n_permutations": 50, "cluster_forming_p": 0.5, "tfce": False}}
GROUPS = {"column": "group", "a": "therapist", "b": "control"}
CLAIMS = [
    {"outcome": "LAI-LAI_group_1", "contrast": GROUPS, "expect": "greater"},
    {"outcome": "PT", "contrast": GROUPS, "expect": "greater"},
    {"outcome": "LAI-LAI_group_1", "predictor": "PT", "expect": "positive"},
]


@pytest.mark.slow
def test_claims_on_the_contrast_that_chose_the_regions_are_not_testable(study) -> None:
    config = yaml.safe_load((study.folder / "config.yaml").read_text()) | CHANGED
    config["inference"] |= {"alpha": 0.9}
    write(study.folder / "config.yaml", config)
    run = study.run()
    assert run.returncode == 0, run.stderr
    words = ("rois", "from-map", "results", "--seed", "LAI", "--leave-one-out", "--config", "config.yaml")
    made = study.rsconn(*words, "--output", "found")
    assert made.returncode == 0, made.stderr
    assert "not testable here" in made.stdout
    assert "permutations that repeat the selection" in made.stdout
    assert len(read_tsv(study.folder / "found" / "left_out.tsv")["participant_id"]) > 4

    texts = [{"id": f"C{n}", "family": "c", "text": f"Claim {n}.", "source": "ours"} for n in range(3)]
    write(
        study.folder / "found_claims.yaml", [text | claim for text, claim in zip(texts, CLAIMS, strict=True)]
    )
    config |= {"rois": "found/rois.yaml", "edges": ["LAI-LAI_group_1"], "output_dir": "again", "seeds": []}
    write(study.folder / "found.yaml", config | {"claims": "found_claims.yaml"})
    again = study.rsconn("run", "found.yaml", "--cores", "2")
    assert again.returncode == 0, again.stderr
    table = read_tsv(study.folder / "again" / "group" / "claims.tsv")
    assert table["verdict"][0] == "not testable"
    assert table["reason"][0] == "circular: the ROIs were defined by a contrast of group in these data"
    assert "not testable" not in table["verdict"][1:]


def write(path: Path, content: object) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
