"""fit_pictures: faces seen by known cameras come back; what no picture can be is refused."""

import pytest
import torch

from meshgan.errors import InputError
from meshgan.fitting.cameras import Camera, Cameras, PicturePoints
from meshgan.fitting.objective import ModelPoints, differentiate
from meshgan.fitting.pictures import fit_pictures
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.poses import PosedPoints, Poses, rotations
from tests.fakes import face_like_mesh
from tests.fitting.linear_faces import LinearFaces

IDS = torch.arange(3, 576, 13)
POINTS = SurfacePoints.at_vertices(IDS)
VIEWS = torch.tensor([[0.1, 0.4, 0.05], [-0.2, -0.5, 0.3], [0.0, 0.0, 0.0]]).double()
CENTRE = (320.0, 240.0)


@pytest.fixture(scope="module")
def model() -> LinearFaces:
    """A dome with a nose that bends along ten random fields."""
    faces = LinearFaces(vertices=576, seed=3)
    faces.template_vertices.copy_(torch.from_numpy(face_like_mesh()[0]))
    return faces


def seen(model, kind, focal, distance):
    codes = model.sample_codes(3, torch.Generator().manual_seed(5))
    shift = torch.tensor([[12.0, -7.0, -distance]]).double().expand(3, 3)
    poses = Poses(rotations(VIEWS), shift, torch.ones(3).double())
    camera = Cameras(kind, torch.full((3,), focal).double(), torch.tensor([CENTRE] * 3).double())
    return codes, poses, camera.project(poses.apply(model.decode(codes)))


def test_projection_by_hand():
    point = torch.tensor([[[30.0, 40.0, -500.0]]])
    centre = torch.tensor([[100.0, 50.0]])
    pinhole = Cameras("pinhole", torch.tensor([1000.0]), centre)
    assert pinhole.project(point)[0, 0].tolist() == [160.0, -30.0]
    weak = Cameras("weak", torch.tensor([2.0]), centre)
    assert weak.project(point)[0, 0].tolist() == [160.0, -30.0]


@pytest.mark.parametrize(
    ("kind", "focal"), [("weak", False), ("pinhole", False), ("pinhole", True)]
)
def test_derivatives(model, kind, focal):
    inner = ModelPoints(model, SurfacePoints.at_vertices(torch.tensor([3, 99, 400])))
    shift = torch.tensor([[5.0, 9.0, -600.0]] * 3).double()
    start = Poses(rotations(VIEWS), shift, torch.ones(3).double())
    posed = PosedPoints(inner, start, torch.tensor([1.0, 2.0, 3.0]).double(), kind == "weak")
    function = PicturePoints(posed, kind, torch.tensor([500.0, 600.0, 700.0]).double(), focal)
    x = torch.randn(3, function.size, generator=torch.Generator().manual_seed(1)).double()
    torch.testing.assert_close(function.jacobian(x), differentiate(function, x))
    some = torch.tensor([2, 0])
    torch.testing.assert_close(function.take(some)(x[some]), function(x)[some])


@pytest.mark.parametrize(
    ("kind", "focal", "camera"),
    [
        ("weak", 3.0, Camera()),
        ("pinhole", 900.0, Camera("pinhole", focal_px=900.0, centre_px=CENTRE)),
        ("pinhole", 900.0, Camera("pinhole", size_px=(640, 480))),
    ],
)
def test_known_codes_poses_and_cameras_are_recovered(model, kind, focal, camera):
    codes, poses, pixels = seen(model, kind, focal, 450.0)
    fit = fit_pictures(model, POINTS, pixels[:, IDS], camera, 1e-6, iterations=200)
    torch.testing.assert_close(model.join(fit.codes), model.join(codes), atol=2e-2, rtol=0)
    torch.testing.assert_close(fit.poses.rotation, poses.rotation, atol=1e-3, rtol=0)
    torch.testing.assert_close(fit.cameras.project(fit.vertices(model)), pixels, atol=0.2, rtol=0)
    torch.testing.assert_close(fit.landmarks, pixels[:, IDS], atol=0.05, rtol=0)
    assert (fit.landmark_rms_mm < 0.01).all()
    if kind == "pinhole":
        torch.testing.assert_close(fit.poses.translation, poses.translation, atol=2.0, rtol=0)
        torch.testing.assert_close(fit.cameras.focal_px, torch.full((3,), focal).double(),
                                   atol=4.0, rtol=0)  # fmt: skip
    else:
        torch.testing.assert_close(fit.cameras.focal_px, torch.full((3,), 3.0).double(),
                                   atol=0.01, rtol=0)  # fmt: skip


def test_outliers_and_missing_points(model):
    codes, _, pixels = seen(model, "weak", 3.0, 0.0)
    targets = pixels[:, IDS].clone()
    targets[:, 5:9] += 90
    targets[:, 20] = torch.nan
    fit = fit_pictures(model, POINTS, targets, Camera(), 1e-4, missing=True, robust_mm=3.0)
    torch.testing.assert_close(model.join(fit.codes), model.join(codes), atol=0.1, rtol=0)


def test_refuses_what_is_no_picture_of_a_face(model):
    _, _, pixels = seen(model, "weak", 3.0, 0.0)
    targets = pixels[:, IDS]
    with pytest.raises(InputError, match="shares of the picture, as MediaPipe"):
        fit_pictures(model, POINTS, targets / 640, Camera())
    with pytest.raises(InputError, match="left and right are exchanged, or the picture is mirror"):
        fit_pictures(model, POINTS, targets * torch.tensor([-1.0, 1.0]), Camera())
    line = torch.stack([torch.linspace(0, 300, len(IDS))] * 2, dim=1)[None].double()
    with pytest.raises(InputError, match="lie on one line"):
        fit_pictures(model, POINTS, line, Camera())
    with pytest.raises(InputError, match="needs the size of the picture"):
        Camera("pinhole")
    with pytest.raises(InputError, match=r"focal length of -3\.0 pixels"):
        Camera(focal_px=-3.0)
    fit = fit_pictures(model, POINTS, -targets, Camera())  # turned by 180 degrees
    assert "upside down" in fit.notes[0]
