from __future__ import annotations

import numpy as np
import pytest

from rsconn.simulate.anatomy import Anatomy, make_anatomy


@pytest.fixture(scope="session")
def anatomy() -> Anatomy:
    """The head at 6 mm: fine enough for spheres, quick to make."""
    return make_anatomy(6.0, rng=np.random.default_rng(0))
