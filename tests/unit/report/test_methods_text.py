"""The methods text says what was set, and nothing that was not."""

from __future__ import annotations

import copy

import pytest

from rsconn.report.page.methods_text import (
    cite_in_words,
    read_citations,
    read_references,
    render_markdown,
    write_citations,
    write_methods,
)


@pytest.fixture
def settings(builder):
    return copy.deepcopy(builder.make_settings())


def write(settings):
    return write_methods(settings, {"rsconn": "0.1.0"})


def test_every_value_that_was_set_is_said(settings):
    settings["censoring"] |= {
        "fd_threshold_mm": 0.37,
        "min_retained_minutes": 4.75,
        "min_degrees_of_freedom": 19,
    }
    settings["quality"] |= {"max_mean_fd_mm": 0.41, "min_coverage": 0.63}
    settings["denoising"] |= {"high_pass_hz": 0.011, "low_pass_hz": 0.092, "smoothing_fwhm_mm": 5.5}
    settings["inference"] |= {"alpha": 0.045, "n_permutations": 4321, "seed": 77}
    settings["inference"]["sesoi"] = {"g": 0.44, "partial_r": 0.27}
    text = write(settings)
    for value in (
        "0.37 mm",
        "4.75 minutes",
        "19 degrees",
        "0.41 mm",
        "63 %",
        "0.011 to 0.092 Hz",
        "5.5 mm FWHM",
    ):
        assert value in text
    for value in (
        "at 0.045",
        "4321 permutations",
        "seed 77",
        "Hedges g 0.44",
        "partial r 0.27",
        "(-36, 18, 2)",
    ):
        assert value in text
    assert "21 claims" in text
    assert "sex (8)" in text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("this", "The regions were defined by group in these data; claims of an edge on it were not tested."),
        ("a pilot of 12 people", "The regions were defined by group (data: a pilot of 12 people)."),
    ],
)
def test_what_defined_the_regions_is_said(settings, data, words):
    settings["rois"] |= {"circular": {"contrast": "group", "data": data}}
    assert words in write(settings)


def test_families_and_sites_are_said(settings):
    assert "CR2" not in write(settings)
    settings["inference"] |= {"exchange_within": "site", "exchange_whole": "twin_pair"}
    text = write(settings)
    assert "CR2 standard errors clustered by family" in text
    assert "exchanged within the values of site" in text
    assert "members of a family (twin_pair) stayed together" in text


def test_no_filter_no_censoring_and_global_signal_are_said(settings):
    settings["denoising"] |= {"high_pass_hz": None, "low_pass_hz": None}
    settings["denoising"]["strategy"] |= {"global_signal": 1, "acompcor": None, "motion": 24}
    settings["censoring"]["fd_threshold_mm"] = None
    text = write(settings)
    assert "without a temporal filter" in text
    assert "No volume was censored" in text
    assert "the global signal was removed (1 term)" in text
    assert "aCompCor" not in text
    assert "@behzadi2007" not in text
    assert "24 motion parameters [@friston1996]" in text


def test_denoised_input_claims_no_denoising(settings):
    settings["input"] |= {"derivatives": [], "parcellated": ["data/rpn"], "denoised": True}
    settings["rois"]["rois"] = [{"name": "A", "kind": "column", "column": "A_1", "source": ""}]
    text = write(settings)
    assert "None: the series were used as they came." in text
    for word in ("aCompCor", "framewise displacement above", "fMRIPrep", "brain mask", "minutes"):
        assert word not in text


def test_only_cited_works_are_listed_and_all_of_them(settings):
    text = write(settings)
    bibtex = write_citations(text)
    for key in read_citations():
        assert (f"@{key}" in text) == (f"{{{key}," in bibtex)
    assert "@" not in cite_in_words(text)


def test_a_claims_own_sesoi_is_named(settings):
    settings["claims"][2]["sesoi"] = 0.4
    assert "except for P3, which set their own" in write(settings)


def test_every_reference_can_be_printed():
    references = read_references(read_citations())
    assert references["freedman1983"].label == "Freedman & Lane, 1983"
    assert references["esteban2019"].label == "Esteban et al., 2019"
    for reference in references.values():
        assert not set("{}\\") & set(reference.text)
        assert reference.text.endswith(".")


def test_settings_of_the_shipped_configs_fit_the_template(request):
    """The template reads keys of the real config model; a renamed key would print an empty value."""
    from rsconn.settings.config import read_config

    for name in ("config/config.yaml", "config/examples/rpn.yaml"):
        path = request.config.rootpath / name
        if not path.exists():
            pytest.skip(f"{name} is not there")
        text = write(read_config(path).model_dump(mode="json"))
        assert "  " not in text
        assert " ," not in text
        assert "None " not in text


def test_a_study_of_scores_only_tells_of_no_images(settings):
    settings["rois"]["rois"], settings["edges"] = [], []
    text = write(settings)
    assert "Scores alone were analysed" in text
    for word in (
        "fMRIPrep",
        "region set",
        "projection",
        "framewise",
        "Runs were combined",
        "runs of a person",
    ):
        assert word not in text


MAPS = {
    "smoothing_fwhm_mm": 7.5, "min_people_share": 0.85, "n_permutations": 777, "cluster_forming_p": 0.002,
    "tfce": True, "primary": "extent", "across": "seeds", "scores": ["PT"], "interaction": False,
}  # fmt: skip


def test_seed_maps_are_described_with_their_values_and_citations(settings):
    assert "## Seed maps" not in write(settings)
    settings |= {"seeds": ["LAI", "rACC"], "maps": dict(MAPS)}
    text = write(settings)
    for value in (
        "LAI and rACC were each correlated", "7.5 mm FWHM", "85 %", "777 null maps", "uncorrected p of 0.002",
        "family-wise over a model's maps of all seeds",
        "primary correction, chosen in the config before any result, was that by cluster extent",
        "signs of the residuals were flipped", "residuals were permuted within the groups", "slope on PT",
        "threshold-free", "@winkler2014]", "[@dosenbach2010]", "[@abraham2014]",
    ):  # fmt: skip
        assert value in text, value
    assert "@article{smith2009," in write_citations(text)
    settings["maps"] |= {"tfce": False, "scores": [], "smoothing_fwhm_mm": 0.0}
    settings["seeds"] = ["LAI"]
    text = write(settings)
    assert "series of LAI was correlated" in text
    assert "not smoothed" in text
    assert not {"threshold-free", "slope on PT"} & {
        word for word in ("threshold-free", "slope on PT") if word in text
    }


def test_a_region_set_chosen_from_a_map_is_named_in_the_methods(settings):
    settings |= {"seeds": ["LAI"], "maps": dict(MAPS)}
    assert "this region set was chosen by" not in write(settings)
    settings["rois"]["circular"] = {"contrast": "group", "data": "this"}
    assert "not testable here: this region set was chosen by group" in write(settings)


def test_texts_of_users_are_no_markup(settings):
    told = "a <script>x</script>\r\n\n# B [c](http://d) [@nobody2000]"
    settings["rois"]["rois"][0]["source"] = told
    text = write(settings)
    assert r"(a \<script>x\</script> # B \[c](http://d) \[@nobody2000])" in text
    assert "nobody2000" not in write_citations(text)
    html = render_markdown(cite_in_words(text))
    assert "a &lt;script&gt;x&lt;/script&gt; # B [c](http://d) [@nobody2000]" in html
