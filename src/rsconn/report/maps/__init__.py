"""Pictures of the seed maps: mosaics, what was found, the viewer in the page."""
