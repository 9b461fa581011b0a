"""Distances between meshes of one topology, the unit of every metric here."""

from meshgan.geometry.proximity import mean_vertex_distance, nearest_mesh

__all__ = ["mean_vertex_distance", "nearest_mesh"]
