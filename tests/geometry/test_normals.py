"""Normals: direction and length by hand, invariances, gradients."""

import numpy as np
import torch

from meshgan.geometry.normals import SteadyNormals, face_normals, vertex_normals
from tests.geometry import shapes


def tensors(mesh):
    return torch.from_numpy(mesh.vertices)[None], torch.from_numpy(mesh.faces)


def test_length_is_twice_the_area():
    vertices = torch.tensor([[[0.0, 0, 0], [2, 0, 0], [0, 3, 0]]])
    normals = face_normals(vertices, torch.tensor([[0, 1, 2], [0, 2, 1]]))
    assert normals.tolist() == [[[0, 0, 6], [0, 0, -6]]]


def test_outward_on_a_torus():
    mesh = shapes.torus(60, 40)
    vertices, faces = tensors(mesh)
    ring = vertices[0] * torch.tensor([1.0, 1, 0], dtype=torch.float64)
    expected = vertices[0] - 3 * ring / ring.norm(dim=1, keepdim=True)
    torch.testing.assert_close(vertex_normals(vertices, faces)[0], expected, atol=0.01, rtol=0)


def test_large_faces_count_more():
    # vertex 0 belongs to a face of area 8 facing +z and one of area 0.5 facing +x
    vertices = torch.tensor([[[0.0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 1, 0], [0, 0, 1]]])
    normal = vertex_normals(vertices, torch.tensor([[0, 1, 2], [0, 3, 4]]))[0, 0]
    expected = torch.tensor([1.0, 0, 16]) / np.sqrt(257)
    torch.testing.assert_close(normal, expected)


def test_rotation_and_batch():
    vertices, faces = tensors(shapes.hill()[0])
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
    turn = turn * torch.sign(torch.linalg.det(turn))
    both = vertex_normals(torch.cat([vertices, vertices @ turn.T]), faces)
    torch.testing.assert_close(both[1], both[0] @ turn.T)


def test_vertex_without_face_has_none():
    vertices = torch.randn(1, 4, 3)
    assert vertex_normals(vertices, torch.tensor([[0, 1, 2]]))[0, 3].tolist() == [0, 0, 0]


def test_gradient():
    vertices, faces = tensors(shapes.hill(5)[0])
    assert torch.autograd.gradcheck(lambda v: vertex_normals(v, faces), vertices.requires_grad_())


def test_one_mesh_after_the_other_agrees_with_batches():
    mesh = shapes.torus(30, 20)
    normals = SteadyNormals(mesh.faces, mesh.vertex_count)
    rng = np.random.default_rng(0)
    for _ in range(2):
        vertices = (mesh.vertices + rng.normal(0, 0.02, mesh.vertices.shape)).astype(np.float32)
        plain = vertex_normals(torch.from_numpy(vertices)[None], torch.from_numpy(mesh.faces))[0]
        np.testing.assert_allclose(normals(vertices), plain.numpy(), atol=1e-5)


def test_one_mesh_with_a_vertex_without_face():
    normals = SteadyNormals(np.array([[0, 1, 2]]), 4)
    found = normals(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], dtype=np.float32))
    assert found.tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]]
