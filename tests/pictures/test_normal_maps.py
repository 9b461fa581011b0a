"""NormalMaps: what rays cast by another library hit, the same in any batch, clear refusals."""

import igl
import numpy as np
import pytest
import torch

from meshgan.data.store import Store
from meshgan.errors import InputError, JobError, ShapeError
from meshgan.pictures import normal_maps
from meshgan.pictures.normal_maps import NormalMaps
from tests.fakes import face_like_mesh
from tests.geometry import shapes

SIZE = 64


@pytest.fixture(scope="module")
def dome():
    vertices, faces = face_like_mesh(40)
    return torch.from_numpy(vertices), torch.from_numpy(faces)


@pytest.fixture(scope="module")
def real_faces(tiny_data):
    """Template and six default faces."""
    store = Store(tiny_data)
    mesh = store.template.mesh
    vertices = torch.from_numpy(np.array(store.vertices(np.array([0, 50, 100, 150, 200, 259]))))
    return torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces), vertices


def turned(vertices: torch.Tensor, degrees: float) -> torch.Tensor:
    """About the vertical axis, so that the nose hides a cheek."""
    angle = np.deg2rad(degrees)
    rotation = torch.tensor(
        [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    ).float()
    return vertices @ rotation


def pixel_rays(maps: NormalMaps) -> np.ndarray:
    """Points (S * S, 3) in front of the face, one per pixel centre, row by row."""
    frame, size = maps.frame, maps.size_px
    middle = np.array(frame.pivot_mm[:2]) + frame.centre_mm
    offset = ((np.arange(size) + 0.5) / size * 2 - 1) * frame.half_mm
    x, y = np.meshgrid(middle[0] + offset, middle[1] - offset)
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, 1e3)], axis=1)


def plain_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit vertex normals, summed face by face."""
    sums = np.zeros_like(vertices)
    for a, b, c in faces:
        area = np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
        sums[[a, b, c]] += area
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def at_hits(vertices, faces, face, weights) -> np.ndarray:
    """Unit normals (S * S, 3) at hits, zeros where ``face`` is -1."""
    blended = (plain_normals(vertices, faces)[faces[face]] * weights[..., None]).sum(axis=1)
    blended /= np.maximum(np.linalg.norm(blended, axis=1, keepdims=True), 1e-12)
    return np.where(face[:, None] >= 0, blended, 0)


def first_front_hits(vertices, faces, rays) -> tuple[np.ndarray, np.ndarray]:
    """libigl: the first triangle along -z that is seen from outside, and its weights."""
    facing = np.cross(
        vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]]
    )[:, 2]
    tree = igl.AABB()
    tree.init(vertices, faces)
    hits = tree.intersect_ray(vertices, faces, rays, np.tile([0, 0, -1.0], (len(rays), 1)))
    face, weights = np.full(len(rays), -1), np.zeros((len(rays), 3))
    for k, along in enumerate(hits):
        front = [hit for hit in along if facing[hit[0]] > 0]
        if front:
            face[k], _, second, third = min(front, key=lambda hit: hit[1])
            weights[k] = 1 - second - third, second, third
    return face, weights


@pytest.mark.parametrize("backend", ["warp", "torch"])
@pytest.mark.parametrize("degrees", [0, 35])
def test_agrees_with_ray_casting(dome, backend, degrees):
    vertices, faces = dome
    vertices = turned(vertices, degrees)
    maps = NormalMaps(vertices, faces, SIZE, backend)
    found = maps.maps(vertices[None])[0].permute(1, 2, 0).reshape(-1, 3).numpy()
    exact, corners = vertices.double().numpy(), faces.numpy()
    face, weights = first_front_hits(exact, corners, pixel_rays(maps))
    expected = at_hits(exact, corners, face, weights)
    wrong = np.abs(found - expected).max(axis=1) > 1e-3
    assert wrong.mean() < 5e-4
    assert np.abs(found - expected)[~wrong].mean() < 1e-6
    assert 0.3 < (face >= 0).mean() < 0.9


@pytest.mark.parametrize("backend", ["warp", "torch"])
def test_agrees_with_embree_on_default_faces(real_faces, backend):
    open3d = pytest.importorskip(
        "open3d",
        reason="open3d, the optional extra meshgan[viewer], or a system library of its is not here",
        exc_type=ImportError,
    )
    template, faces, vertices = real_faces
    maps = NormalMaps(template, faces, 224, backend)
    rays = pixel_rays(maps).astype(np.float32)
    rays = np.concatenate([rays, np.tile(np.float32([0, 0, -1]), (len(rays), 1))], axis=1)
    for mesh, image in zip(vertices[:3].numpy(), maps.maps(vertices[:3]), strict=True):
        scene = open3d.t.geometry.RaycastingScene()
        scene.add_triangles(mesh, faces.numpy().astype(np.uint32))
        hit = scene.cast_rays(rays)
        uv = hit["primitive_uvs"].numpy()
        face = hit["primitive_ids"].numpy().astype(np.int64)
        from_outside = hit["primitive_normals"].numpy()[:, 2] > 0
        missed = face == open3d.t.geometry.RaycastingScene.INVALID_ID
        face[missed] = -1
        weights = np.stack([1 - uv.sum(axis=1), uv[:, 0], uv[:, 1]], axis=1)
        expected = at_hits(mesh, faces.numpy(), face, weights)
        difference = np.abs(image.permute(1, 2, 0).reshape(-1, 3).numpy() - expected).max(axis=1)
        judged = from_outside | missed  # rays do not look through the back of a surface
        assert judged.mean() > 0.98
        assert (difference[judged] > 1e-3).mean() < 2e-4
        assert difference[judged & (difference < 1e-3)].mean() < 1e-5


def test_warp_and_torch_draw_the_same(real_faces):
    template, faces, vertices = real_faces
    quick, plain = (NormalMaps(template, faces, 224, name).maps(vertices)
                    for name in ("warp", "torch"))  # fmt: skip
    difference = (quick - plain).abs().amax(dim=1)
    assert (difference > 1e-2).double().mean() < 1e-4
    assert difference.mean() < 1e-5


@pytest.mark.parametrize("backend", ["warp", "torch"])
def test_unit_normals_on_background_zero(real_faces, backend):
    template, faces, vertices = real_faces
    images = NormalMaps(template, faces, 96, backend).maps(vertices)
    assert images.dtype == torch.float32
    length = images.norm(dim=1)
    covered = length > 0
    torch.testing.assert_close(length[covered], torch.ones(int(covered.sum())), atol=1e-5, rtol=0)
    assert (images.permute(0, 2, 3, 1)[~covered] == 0).all()
    assert 0.25 < covered.double().mean() < 0.75
    border = torch.cat([covered[:, [0, -1]].flatten(1), covered[..., [0, -1]].flatten(1)], dim=1)
    assert not border.any()  # other people than the template fit into its frame


@pytest.mark.parametrize("backend", ["warp", "torch"])
def test_where_left_right_up_and_down_are(dome, backend):
    vertices, faces = dome
    image = NormalMaps(vertices, faces, SIZE, backend).maps(vertices[None])[0]
    assert image[0, 32, 50] > 0.3 > 0 > image[0, 32, 13]  # x: the subject's left is on the right
    assert image[1, 8, 32] > 0.3 > 0 > image[1, 56, 32]  # y: up is up
    assert image[2, 32, 32] > 0.7  # z: out of the picture
    smaller = NormalMaps(vertices, faces, SIZE, backend).maps(0.5 * vertices[None])[0]
    ratio = (smaller[2] > 0).sum() / (image[2] > 0).sum()
    assert ratio == pytest.approx(0.25, rel=0.05)  # one scale for all


@pytest.mark.parametrize("backend", ["warp", "torch"])
def test_any_batch_gives_the_same_pictures(real_faces, backend, monkeypatch):
    template, faces, vertices = real_faces
    maps = NormalMaps(template, faces, SIZE, backend)
    together = maps.maps(vertices)
    monkeypatch.setattr(normal_maps, "AT_ONCE", 4)
    assert torch.equal(maps.maps(vertices), together)
    assert torch.equal(maps.maps(vertices[2:3]), together[2:3])
    assert torch.equal(maps.maps(vertices.double())[1], together[1])
    assert maps.maps(vertices[:0]).shape == (0, 3, SIZE, SIZE)


def test_without_warp(dome, monkeypatch):
    monkeypatch.setattr(normal_maps, "warp_visibility", lambda _: None)
    vertices, faces = dome
    maps = NormalMaps(vertices, faces, SIZE)
    assert not maps.uses_warp()
    assert torch.equal(
        maps.maps(vertices[None]), NormalMaps(vertices, faces, SIZE, "torch").maps(vertices[None])
    )
    with pytest.raises(JobError, match='Warp does not work on cpu; use backend "auto"'):
        NormalMaps(vertices, faces, SIZE, "warp").maps(vertices[None])


def test_refuses_bad_input(dome):
    vertices, faces = dome
    maps = NormalMaps(vertices, faces, SIZE)
    with pytest.raises(ShapeError, match="1,599 vertices, but the template has 1,600"):
        maps.maps(vertices[None, 1:])
    broken = torch.stack([vertices, vertices])
    broken[1, 5, 2] = torch.nan
    with pytest.raises(InputError, match="1 of 2 meshes have vertices that are not finite"):
        maps.maps(broken)
    with pytest.raises(InputError, match="template has vertices that are not finite"):
        NormalMaps(broken[1], faces)
    with pytest.raises(InputError, match="4 pixels a side"):
        NormalMaps(vertices, faces, 4)
    with pytest.raises(InputError, match='backend "embree"'):
        shapes.unchecked(NormalMaps.__init__)(maps, vertices, faces, SIZE, "embree")
    with pytest.raises(InputError, match="no extent"):
        NormalMaps(torch.zeros(4, 3), faces[:0])
