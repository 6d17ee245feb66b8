"""Seed maps of the group: models, people's maps on one grid, clusters, regions found."""
