from __future__ import annotations

import pytest

from rsconn.simulate.anatomy import Anatomy, make_anatomy


@pytest.fixture(scope="session")
def anatomy() -> Anatomy:
    """The head at 6 mm: fine enough for spheres, quick to make."""
    return make_anatomy(6.0)
