"""The works that a methods text may cite, as BibTeX; only those that the settings call for are written."""

from __future__ import annotations

from collections.abc import Iterable

CITATIONS = {
    "behzadi2007": """@article{behzadi2007,
  author = {Behzadi, Yashar and Restom, Khaled and Liau, Joy and Liu, Thomas T.},
  title = {A component based noise correction method ({CompCor}) for {BOLD} and perfusion based {fMRI}},
  journal = {NeuroImage}, volume = {37}, number = {1}, pages = {90--101}, year = {2007},
  doi = {10.1016/j.neuroimage.2007.04.042}
}""",
    "chai2012": """@article{chai2012,
  author = {Chai, Xiaoqian J. and Casta{\\~n}{\\'o}n, Alfonso Nieto and {\\"O}ng{\\"u}r, Dost and Whitfield-Gabrieli, Susan},
  title = {Anticorrelations in resting state networks without global signal regression},
  journal = {NeuroImage}, volume = {59}, number = {2}, pages = {1420--1428}, year = {2012},
  doi = {10.1016/j.neuroimage.2011.08.048}
}""",
    "friston1996": """@article{friston1996,
  author = {Friston, Karl J. and Williams, Steven and Howard, Robert and Frackowiak, Richard S. J. and Turner, Robert},
  title = {Movement-related effects in {fMRI} time-series},
  journal = {Magnetic Resonance in Medicine}, volume = {35}, number = {3}, pages = {346--355}, year = {1996},
  doi = {10.1002/mrm.1910350312}
}""",
    "power2012": """@article{power2012,
  author = {Power, Jonathan D. and Barnes, Kelly A. and Snyder, Abraham Z. and Schlaggar, Bradley L. and Petersen, Steven E.},
  title = {Spurious but systematic correlations in functional connectivity {MRI} networks arise from subject motion},
  journal = {NeuroImage}, volume = {59}, number = {3}, pages = {2142--2154}, year = {2012},
  doi = {10.1016/j.neuroimage.2011.10.018}
}""",
    "esteban2019": """@article{esteban2019,
  author = {Esteban, Oscar and Markiewicz, Christopher J. and Blair, Ross W. and others},
  title = {{fMRIPrep}: a robust preprocessing pipeline for functional {MRI}},
  journal = {Nature Methods}, volume = {16}, pages = {111--116}, year = {2019},
  doi = {10.1038/s41592-018-0235-4}
}""",
    "davis1980": """@article{davis1980,
  author = {Davis, Mark H.},
  title = {A multidimensional approach to individual differences in empathy},
  journal = {JSAS Catalog of Selected Documents in Psychology}, volume = {10}, pages = {85}, year = {1980}
}""",
    "gross2003": """@article{gross2003,
  author = {Gross, James J. and John, Oliver P.},
  title = {Individual differences in two emotion regulation processes: implications for affect, relationships, and well-being},
  journal = {Journal of Personality and Social Psychology}, volume = {85}, number = {2}, pages = {348--362}, year = {2003},
  doi = {10.1037/0022-3514.85.2.348}
}""",
    "welch1947": """@article{welch1947,
  author = {Welch, Bernard L.},
  title = {The generalization of {Student's} problem when several different population variances are involved},
  journal = {Biometrika}, volume = {34}, number = {1--2}, pages = {28--35}, year = {1947},
  doi = {10.1093/biomet/34.1-2.28}
}""",
    "mackinnon1985": """@article{mackinnon1985,
  author = {MacKinnon, James G. and White, Halbert},
  title = {Some heteroskedasticity-consistent covariance matrix estimators with improved finite sample properties},
  journal = {Journal of Econometrics}, volume = {29}, number = {3}, pages = {305--325}, year = {1985},
  doi = {10.1016/0304-4076(85)90158-7}
}""",
    "schuirmann1987": """@article{schuirmann1987,
  author = {Schuirmann, Donald J.},
  title = {A comparison of the two one-sided tests procedure and the power approach for assessing the equivalence of average bioavailability},
  journal = {Journal of Pharmacokinetics and Biopharmaceutics}, volume = {15}, number = {6}, pages = {657--680}, year = {1987},
  doi = {10.1007/BF01068419}
}""",
    "holm1979": """@article{holm1979,
  author = {Holm, Sture},
  title = {A simple sequentially rejective multiple test procedure},
  journal = {Scandinavian Journal of Statistics}, volume = {6}, number = {2}, pages = {65--70}, year = {1979}
}""",
    "freedman1983": """@article{freedman1983,
  author = {Freedman, David and Lane, David},
  title = {A nonstochastic interpretation of reported significance levels},
  journal = {Journal of Business \\& Economic Statistics}, volume = {1}, number = {4}, pages = {292--298}, year = {1983},
  doi = {10.1080/07350015.1983.10509354}
}""",
}


def format_bibtex(keys: Iterable[str]) -> str:
    """Return the BibTeX entries of these keys, sorted, each once.

    Raises
    ------
    KeyError
        If a key is unknown.
    """
    return "\n\n".join(CITATIONS[key] for key in sorted(set(keys))) + "\n"
