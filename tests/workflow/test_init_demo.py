"""`rsconn init` on the demo's data: the config that stands in the repository, but for its claims."""

from __future__ import annotations

import pytest

from rsconn.commands.init import write_first_config
from rsconn.settings.config import read_config
from rsconn.simulate.simulated_dataset import simulate_study


@pytest.mark.slow
def test_the_demo_gives_its_own_config(tmp_path, root):
    # 12 mm voxels instead of 3, to be quick; spheres and smoothing follow from their size
    data = simulate_study(tmp_path / "data" / "demo", voxel_mm=12.0, n_jobs=1)
    lines, ready = write_first_config(data, [], tmp_path)
    assert ready, lines
    text = (root / "config" / "config.yaml").read_text(encoding="utf-8")
    (tmp_path / "written.yaml").write_text(text.replace("config/studies", str(root / "config" / "studies")))
    found, written = (read_config(tmp_path / name) for name in ("config.yaml", "written.yaml"))
    assert found.rois.names == written.rois.names
    assert found.multiverse is not None
    assert written.multiverse is not None
    assert found.multiverse.model_copy(update={"radius_mm": (6.0, 4.0)}) == written.multiverse
    assert found.maps.model_copy(update={"smoothing_fwhm_mm": 8.0}) == written.maps
    apart = {"path", "claims", "claims_path", "rois", "rois_path", "output_dir", "maps", "multiverse"}
    differing = {name for name in type(found).model_fields if getattr(found, name) != getattr(written, name)}
    assert differing <= apart
