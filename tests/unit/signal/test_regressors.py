"""Which columns a strategy takes, on small made tables where the answer can be counted."""

from __future__ import annotations

import numpy as np
import pytest

from rsconn.errors import RunError
from rsconn.signal.regressors import MOTION_COLUMNS, list_confound_kinds, select_confounds

ENDINGS = ("", "_derivative1", "_power2", "_derivative1_power2")


def make_table(*, components=(), extra=()):
    """A confounds table: motion, tissues and global signal with all endings, then components."""
    signals = [*MOTION_COLUMNS, "csf", "white_matter", "global_signal"]
    names = [signal + ending for signal in signals for ending in ENDINGS] + [*components, *extra]
    values = np.arange(12.0 * len(names)).reshape(12, len(names))
    values[0, ["derivative1" in name for name in names]] = np.nan
    return names, values


def describe(masks, *, first=0, share=0.1, retained=True):
    """JSON entries of a_comp_cor columns with these masks, in this order."""
    seen: dict[str, int] = {}
    entries = {}
    for number, mask in enumerate(masks, start=first):
        seen[mask] = seen.get(mask, 0) + 1
        entries[f"a_comp_cor_{number:02d}"] = {
            "Mask": mask,
            "Retained": retained,
            "CumulativeVarianceExplained": share * seen[mask],
        }
    return entries


@pytest.mark.parametrize(
    ("strategy", "n_columns"),
    [
        ({}, 0),
        ({"motion": 6}, 6),
        ({"motion": 12}, 12),
        ({"motion": 24}, 24),
        ({"motion": 24, "wm_csf": 8, "global_signal": 4}, 36),
        ({"motion": 6, "wm_csf": 2, "global_signal": 1}, 9),
        ({"wm_csf": 4, "global_signal": 2}, 6),
    ],
)
def test_numbers_of_columns(strategy, n_columns):
    names, values = make_table()
    chosen = select_confounds(names, values, {}, **strategy)
    assert chosen.values.shape == (12, n_columns)
    assert len(set(chosen.names)) == n_columns


def test_terms_grow_from_signal_to_derivatives_to_squares():
    names, values = make_table()
    chosen = select_confounds(names, values, {}, global_signal=4).names
    assert chosen == tuple(f"global_signal{ending}" for ending in ENDINGS)
    assert select_confounds(names, values, {}, global_signal=2).names == chosen[:2]


def test_each_column_brings_its_own_values():
    names, values = make_table()
    chosen = select_confounds(names, values, {}, motion=24)
    for name, column in zip(chosen.names, chosen.values.T, strict=True):
        assert np.array_equal(column[1:], values[1:, names.index(name)])


def test_a_missing_first_row_is_filled_with_zero_and_said_so():
    names, values = make_table()
    chosen = select_confounds(names, values, {}, motion=12)
    assert chosen.values[0, 6:].tolist() == [0.0] * 6
    assert chosen.notes == ("first-row n/a of 6 derivative columns filled with 0",)
    assert np.isnan(values).any()  # the file's own values stay as they were


def test_components_come_by_mask_in_numeric_order_whatever_the_columns_order():
    masks = ["combined"] * 3 + ["CSF"] * 3 + ["WM"] * 100
    metadata = describe(masks)
    names, values = make_table(components=sorted(metadata, reverse=True))  # as text, 100 stands before 20
    chosen = select_confounds(names, values, metadata, acompcor_wm=96, acompcor_csf=2)
    assert chosen.names == (
        *(f"a_comp_cor_{number:02d}" for number in range(6, 102)),
        "a_comp_cor_03",
        "a_comp_cor_04",
    )


def test_components_that_were_not_retained_are_passed_over():
    metadata = (
        describe(["WM"] * 3) | describe(["WM"] * 2, first=3, retained=False) | describe(["CSF"], first=5)
    )
    names, values = make_table(components=list(metadata))
    chosen = select_confounds(names, values, metadata, acompcor_wm=5, acompcor_csf=1)
    assert chosen.names == ("a_comp_cor_00", "a_comp_cor_01", "a_comp_cor_02", "a_comp_cor_05")
    assert chosen.notes == ("aCompCor: 3 WM components retained by fMRIPrep, 5 asked for",)


def test_names_of_fmriprep_21_tell_the_mask_without_json():
    components = [f"{mask}_comp_cor_{number:02d}" for mask in "cwa" for number in range(4)]
    names, values = make_table(components=components)
    chosen = select_confounds(names, values, {}, acompcor_wm=2, acompcor_csf=1)
    assert chosen.names == ("w_comp_cor_00", "w_comp_cor_01", "c_comp_cor_00")


@pytest.mark.parametrize(("variance", "n_columns"), [(0.05, 2), (0.1, 2), (0.2, 4), (0.25, 6), (0.3, 6)])
def test_components_up_to_a_share_of_variance(variance, n_columns):
    metadata = describe(["WM", "CSF"] * 3, share=0.1)
    names, values = make_table(components=list(metadata))
    chosen = select_confounds(names, values, metadata, acompcor_variance=variance)
    assert chosen.values.shape[1] == n_columns


@pytest.mark.parametrize(
    ("strategy", "metadata", "drop", "message"),
    [
        (
            {"motion": 12},
            {},
            "rot_x_derivative1",
            r"rot_x_derivative1 missing; the file has 6 motion, 16 motion deriv",
        ),
        ({"motion": 24}, {}, "derivative", "trans_x_derivative1, .* and 6 more missing"),
        (
            {"wm_csf": 2},
            {},
            "csf",
            "confounds: csf missing; .*no aCompCor of CSF, .*, white_matter, global_signal",
        ),
        ({"global_signal": 1}, {}, "global", "global_signal missing"),
        (
            {"acompcor_wm": 5},
            {},
            "",
            r"aCompCor WM missing; .*no aCompCor of WM.*3 aCompCor whose mask no JSON tells",
        ),
        (
            {"acompcor_csf": 5},
            describe(["WM"] * 3),
            "",
            "aCompCor CSF missing; .*3 aCompCor of WM, no aCompCor of CSF",
        ),
        (
            {"acompcor_variance": 0.5},
            describe(["WM"] * 3),
            "",
            r"3 aCompCor components of WM explain 30.0%.*50% asked",
        ),
        ({"acompcor_variance": 0.2}, describe(["WM"] * 3), "", "aCompCor CSF missing"),
    ],
)
def test_what_is_missing_is_named_with_what_is_there(strategy, metadata, drop, message):
    names, values = make_table(components=[f"a_comp_cor_{number:02d}" for number in range(3)])
    kept = [index for index, name in enumerate(names) if not drop or drop not in name]
    with pytest.raises(RunError, match=message):
        select_confounds([names[index] for index in kept], values[:, kept], metadata, **strategy)


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("csf", [0], "csf is not a number in 1 of 12 volumes"),
        ("csf", range(12), "csf is not a number in every volume"),
        ("csf_derivative1", [5], "csf_derivative1 is not a number in 2 of 12 volumes"),
    ],
)
def test_gaps_other_than_a_derivatives_first_row_are_refused(name, rows, message):
    names, values = make_table()
    values[list(rows), names.index(name)] = np.nan
    with pytest.raises(RunError, match=message):
        select_confounds(names, values, {}, wm_csf=4)


def test_infinity_is_refused():
    names, values = make_table()
    values[3, names.index("trans_x")] = np.inf
    with pytest.raises(RunError, match="trans_x is not a number in 1 of 12"):
        select_confounds(names, values, {}, motion=6)


def test_an_unknown_number_of_terms_is_a_bug():
    with pytest.raises(ValueError, match=r"7 columns .*choose 0, 6, 12, 24"):
        select_confounds(*make_table(), {}, motion=7)


def test_description_counts_what_is_there():
    names, _ = make_table(components=["w_comp_cor_00", "w_comp_cor_01", "c_comp_cor_00"])
    text = "6 motion, 18 motion derivatives and squares, 2 aCompCor of WM, 1 aCompCor of CSF, white_matter"
    assert list_confound_kinds(names).startswith(text)


@pytest.mark.parametrize("share", [None, "n/a", float("nan"), [0.5], True, 10**400, -1])
def test_a_share_of_variance_that_is_none_matters_to_strategies_by_variance_alone(share):
    names, values = make_table(components=["a_comp_cor_00", "a_comp_cor_01"])
    metadata = describe(["WM", "CSF"])
    metadata["a_comp_cor_00"]["CumulativeVarianceExplained"] = share
    assert select_confounds(names, values, metadata, acompcor_wm=1).names == ("a_comp_cor_00",)
    with pytest.raises(RunError, match="of WM explain an unstated share of its variance"):
        select_confounds(names, values, metadata, acompcor_variance=0.05)
