"""render_faces: the right pixels, the right side lit, one scale, no cracks, clear refusals."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.pictures.camera import Frame, frame_faces
from meshgan.pictures.render import render_displacements, render_faces, viridis
from tests.fakes import face_like_mesh

FACES = np.array([[0, 1, 2], [0, 2, 3]])


def square(half_mm: float = 10.0, z: float = 0.0) -> np.ndarray:
    x = half_mm
    return np.array([[-x, -x, z], [x, -x, z], [x, x, z], [-x, x, z]], dtype=np.float32)


@pytest.fixture(scope="module")
def dome():
    return face_like_mesh(32)


def test_square_covers_exactly_its_pixels():
    box = Frame((0.0, 0.0, 0.0), 0.0, (0.0, 0.0), half_mm=20.0)
    picture = render_faces(square()[None], FACES, 64, box=box)[0]
    covered = (picture < 250).any(axis=-1)
    assert covered.sum() == 32 * 32
    assert covered[16:48, 16:48].all()
    assert (picture[~covered] == 255).all()


def test_partly_covered_pixels_are_blended():
    box = Frame((0.0, 0.0, 0.0), 0.0, (0.0, 0.0), half_mm=20.0)
    shifted = square() + np.float32([20 / 64, 0, 0])  # half a pixel to the right
    row = render_faces(shifted[None], FACES, 64, box=box)[0, 32].astype(int).sum(axis=-1)
    inside, left, right = row[32], row[16], row[48]
    assert inside < left < 3 * 255
    assert inside < right < 3 * 255


def test_flat_surface_has_one_colour_and_no_crack():
    picture = render_faces(square()[None], FACES, 64)[0]
    inner = picture[10:54, 10:54].reshape(-1, 3)
    assert np.ptp(inner, axis=0).max() == 0


def test_light_comes_from_the_upper_left(dome):
    vertices, faces = dome
    picture = render_faces(vertices[None], faces, 128)[0].astype(int).sum(axis=-1)
    mask = picture < 3 * 250
    rows, columns = np.nonzero(mask)
    left, right = columns < np.median(columns), columns > np.median(columns)
    values = picture[mask]
    assert values[left].mean() > values[right].mean() + 10
    assert values[rows < 64].mean() > values[rows > 64].mean()


def test_plus_x_is_right_and_plus_y_is_up():
    box = Frame((0.0, 0.0, 0.0), 0.0, (0.0, 0.0), half_mm=20.0)
    small = square(3.0) + np.float32([12, 12, 0])
    rows, columns = np.nonzero((render_faces(small[None], FACES, 64, box=box)[0] < 250).any(-1))
    assert rows.mean() < 20
    assert columns.mean() > 44


def test_positive_yaw_moves_the_nose_to_the_viewers_right():
    frame = Frame((0.0, 0.0, 0.0), 90.0, (0.0, 0.0), half_mm=1.0)
    nose = torch.tensor([[[0.0, 0.0, 5.0]]])
    torch.testing.assert_close(frame.turn(nose), torch.tensor([[[5.0, 0.0, 0.0]]]))


def test_one_scale_for_the_whole_batch(dome):
    vertices, faces = dome
    pictures = render_faces(np.stack([vertices, 0.7 * vertices]), faces, 96)
    large, small = ((picture < 250).any(axis=-1).sum() for picture in pictures)
    assert small / large == pytest.approx(0.49, rel=0.05)


def test_an_exploded_mesh_does_not_shrink_the_others(dome):
    vertices = torch.from_numpy(np.stack([dome[0]] * 3))
    spoiled = vertices.clone()
    spoiled[2, 5] = 1e4
    assert frame_faces(spoiled).half_mm == pytest.approx(frame_faces(vertices).half_mm)


def test_any_batch_gives_the_same_pictures(dome):
    vertices, faces = dome
    some = np.stack([vertices, 0.9 * vertices, 1.1 * vertices]).astype(np.float32)
    box = frame_faces(torch.from_numpy(some))
    together = render_faces(some, faces, 40, box=box)
    alone = [render_faces(one[None], faces, 40, box=box)[0] for one in some]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_front_hides_back():
    near, far = square(6.0, z=5.0), square(10.0, z=0.0)
    both = np.concatenate([far, near])[None]
    faces = np.concatenate([FACES, FACES + 4])
    colour = np.zeros((1, 8, 3), dtype=np.float32)
    colour[0, :4, 2], colour[0, 4:, 0] = 1, 1  # far blue, near red
    picture = render_faces(both, faces, 64, colour=colour)[0]
    assert picture[32, 32, 0] > 3 * picture[32, 32, 2]
    assert picture[32, 7, 2] > 3 * picture[32, 7, 0]


def test_back_of_a_surface_is_drawn_darker():
    front = render_faces(square()[None], FACES, 32)[0, 16, 16].astype(int).sum()
    back = render_faces(square()[None], FACES[:, ::-1].copy(), 32)[0, 16, 16].astype(int).sum()
    assert 60 < back < 0.9 * front


def test_displacements_are_coloured_by_distance():
    moved = square() + np.float32([0, 0, 4])
    at_zero = render_displacements(square()[None], square(), FACES, 8.0, 32)[0, 16, 16]
    at_half = render_displacements(moved[None], square(), FACES, 8.0, 32)[0, 16, 16]
    beyond = render_displacements(moved[None], square(), FACES, 2.0, 32)[0, 16, 16]
    assert at_zero.argmax() == 2  # viridis: dark violet, green-blue, yellow
    assert at_half[1] > at_half[0]
    assert beyond[0] > 2 * beyond[2]


def test_viridis_clips_and_gets_lighter():
    colours = viridis(np.array([-1.0, 0.0, 0.5, 1.0, 2.0]))
    np.testing.assert_array_equal(colours[[0, -1]], colours[[1, -2]])
    assert (np.diff(colours[1:4] @ [0.2126, 0.7152, 0.0722]) > 0).all()


def test_refuses_bad_input():
    with pytest.raises(InputError, match="1 of 2 meshes have vertices that are not finite"):
        render_faces(np.stack([square(), square() * np.nan]), FACES, 32)
    with pytest.raises(InputError, match="no faces to draw"):
        render_faces(np.zeros((0, 4, 3), dtype=np.float32), FACES, 32)
    with pytest.raises(InputError, match="4 pixels a side"):
        render_faces(square()[None], FACES, 4)
    with pytest.raises(ShapeError, match="one colour per vertex"):
        render_faces(square()[None], FACES, 32, colour=np.zeros((1, 3, 3), dtype=np.float32))
    with pytest.raises(ShapeError, match="one mesh of this topology"):
        render_displacements(square()[None], square()[:3], FACES, 1.0, 32)
    with pytest.raises(InputError, match="largest_mm"):
        render_displacements(square()[None], square(), FACES, 0.0, 32)
