from pathlib import Path

import pytest

from rsconn.files.bids_uris import cite_file, drop_folders, link_dataset, name_datasets


def test_two_datasets_of_one_name_are_told_apart():
    named = name_datasets([Path("/a/fmriprep"), Path("/b/fmriprep"), Path("/c/fmriprep"), Path("/")])
    assert list(named) == ["fmriprep", "fmriprep-2", "fmriprep-3", "dataset"]


def test_a_file_is_cited_in_the_innermost_dataset():
    datasets = {"raw": "/d/raw", "fmriprep": "/d/raw/derivatives/fmriprep"}
    path = Path("/d/raw/derivatives/fmriprep/sub-01/func/a b.nii.gz")
    assert cite_file(path, datasets) == "bids:fmriprep:sub-01/func/a%20b.nii.gz"
    assert cite_file(Path("/home/me/mask.nii.gz"), datasets) == "mask.nii.gz"


@pytest.mark.parametrize(
    ("dataset", "results", "doi", "link"),
    [
        ("/home/me/study/data/fmriprep", "/home/me/study/results", None, "../data/fmriprep"),
        ("/home/me/data/fmriprep", "/home/me/study/results", "10.1/x", "../../data/fmriprep"),
        ("/home/you/fmriprep", "/home/me/results", None, "urn:dataset:fmriprep"),
        ("/data/fmriprep", "/home/me/results", None, "urn:dataset:fmriprep"),
        ("/data/fmriprep", "/home/me/results", "doi:10.1/x", "doi:10.1/x"),
        ("/data/x/fmriprep", "/data/y/results", None, "../../x/fmriprep"),
    ],
)
def test_a_link_tells_no_more_than_the_study(monkeypatch, dataset, results, doi, link):
    monkeypatch.setenv("HOME", "/home/me")
    assert link_dataset("fmriprep", Path(dataset), Path(results), doi) == link


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/d/my data/sub-01/func/a.nii.gz: torn", "sub-01/func/a.nii.gz: torn"),
        ("sub-1: '/home/me/roi/mask.nii' and /x/y.nii", "sub-1: 'mask.nii' and y.nii"),
        ("volumes 3/4 of https://x.org/a/b, s3://bucket/a/b", "volumes 3/4 of https://x.org/a/b, s3://bucket/a/b"),
        ("bids:fmriprep:sub-01/func/a.nii.gz, ~/x/y", "bids:fmriprep:sub-01/func/a.nii.gz, ~/x/y"),
    ],
)  # fmt: skip
def test_messages_keep_what_lies_within_the_dataset(text, left):
    assert drop_folders(text, ["/d/my data"]) == left
