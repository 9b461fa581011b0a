"""Units, axes, handedness: converted exactly, guessed from sizes, contradicted when wrong."""

import numpy as np
import pytest

from meshgan.data.importers.base import MeasuredLandmarks, SourceFace, SourceItem
from meshgan.data.importers.catalogue import catalogue
from meshgan.data.importers.conversion import Conversion, axis_map_of, axis_matrix, reconvert
from meshgan.data.importers.decision import decide_conversion
from meshgan.data.importers.labels import EXPRESSIONS
from meshgan.data.importers.plausibility import (
    is_inside_out,
    is_mirrored,
    measure_size,
    measured_axis_map,
)
from meshgan.data.importers.reading import BadFace, SourceReader, read_source_face
from meshgan.data.synthetic.speech import VISEME_NAMES
from meshgan.errors import InputError
from tests.data.importers.example_faces import (
    FakeImporter,
    bumpy_face,
    face_template,
    grid_faces,
    grid_vertices,
    landmark_ids,
)

POINT = np.array([[1.0, 2.0, 3.0]])
MAPS = ["x y z", "x z -y", "-x y -z", "y z x", "-x y z", "z y x"]


@pytest.mark.parametrize(
    ("unit", "axis_map", "expected"),
    [
        ("mm", "x y z", [1, 2, 3]),
        ("cm", "x z -y", [10, 30, -20]),
        ("m", "-x y z", [-1000, 2000, 3000]),
        ("um", "z x y", [0.003, 0.001, 0.002]),
        ("inch", "-x y -z", [-25.4, 50.8, -76.2]),
    ],
)
def test_positions_by_hand(unit, axis_map, expected):
    conversion = Conversion(unit, axis_map)
    np.testing.assert_allclose(conversion.positions(POINT)[0], expected, rtol=1e-15)
    np.testing.assert_allclose(conversion.matrix @ POINT[0], expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("axis_map", "mirrors"), list(zip(MAPS, [False] * 4 + [True] * 2, strict=True))
)
def test_triangles_face_outwards_after_any_map(axis_map, mirrors):
    """A face laid out in the source's axes comes back whole, its triangles facing outwards."""
    matrix = axis_matrix(axis_map)
    source = grid_vertices() @ matrix  # the inverse of a signed permutation is its transpose
    faces = grid_faces()[:, ::-1] if mirrors else grid_faces()  # outwards in the source
    conversion = Conversion("mm", axis_map)
    assert conversion.mirrors is mirrors
    np.testing.assert_array_equal(conversion.positions(source), grid_vertices())
    assert not is_inside_out(conversion.positions(source), conversion.triangles(faces))
    assert is_inside_out(conversion.positions(source), conversion.triangles(faces[:, ::-1]))
    assert axis_map_of(matrix) == axis_map


@pytest.mark.parametrize("axis_map", ["x y", "x x z", "a b c", "x y --z", "", "x y z w"])
def test_refuses_what_is_no_axis_map(axis_map):
    with pytest.raises(InputError, match="expected x, y and z once each"):
        Conversion("mm", axis_map)


def test_refuses_an_unknown_unit():
    with pytest.raises(InputError, match="unit 'furlong' is unknown"):
        Conversion("furlong")


def landmarks(matrix=None):
    points = grid_vertices()[landmark_ids()]
    return MeasuredLandmarks("ibug68", points if matrix is None else points @ matrix.T)


def test_size_by_eyes_else_by_height():
    assert measure_size(grid_vertices(), landmarks()).length == pytest.approx(90, abs=6)
    assert measure_size(grid_vertices(), landmarks()).by_eyes
    assert measure_size(grid_vertices(), None).length == pytest.approx(190)
    lost = MeasuredLandmarks("ibug68", np.full((68, 3), np.nan))
    assert not measure_size(grid_vertices(), lost).by_eyes


@pytest.mark.parametrize("unit", ["mm", "cm", "dm", "m", "um"])
def test_unit_is_guessed_from_the_size(unit):
    factor = {"mm": 1, "cm": 10, "dm": 100, "m": 1000, "um": 0.001}[unit]
    for known in (None, MeasuredLandmarks("ibug68", landmarks().points / factor)):
        assert measure_size(grid_vertices() / factor, known).unit() == unit


@pytest.mark.parametrize("axis_map", MAPS)
def test_landmarks_tell_the_axes(axis_map):
    """Where the face's own axes went is read back from its landmarks."""
    turned = landmarks(axis_matrix(axis_map).T)
    assert measured_axis_map(turned) == axis_map
    assert is_mirrored(turned) == (np.linalg.det(axis_matrix(axis_map)) < 0)


def test_named_landmarks_tell_as_well():
    named = {
        "Outer right eye corner": (-45, 38, 0), "Inner right eye corner": (-15, 38, 0),
        "Inner left eye corner": (15, 38, 0), "Outer left eye corner": (45, 38, 0),
        "Nose tip": (0, 0, 30), "Left mouth corner": (25, -38, 5),
        "Right mouth corner": (-25, -38, 5),
    }  # fmt: skip
    points = np.array(list(named.values()), dtype=float)
    known = MeasuredLandmarks("bosphorus24", points, tuple(named))
    assert measured_axis_map(known) == "x y z"
    assert measure_size(points, known).length == pytest.approx(90)
    assert is_mirrored(MeasuredLandmarks("bosphorus24", points * [-1, 1, 1], tuple(named)))


def test_without_a_nose_nothing_is_claimed():
    points = landmarks().points.copy()
    points[27:36] = np.nan
    assert measured_axis_map(MeasuredLandmarks("ibug68", points)) is None
    assert not is_mirrored(MeasuredLandmarks("unheard of", points))


def decide(vertices, template=None, unit="mm", axis_map="x y z", **said):
    importer = FakeImporter({}, unit=unit, axis_map=axis_map)
    return decide_conversion(importer, SourceFace(vertices), template or face_template(), **said)


def test_declared_unit_is_believed_if_it_fits():
    decision = decide(grid_vertices() / 10, unit="cm")
    assert (decision.conversion.unit, decision.messages) == ("cm", ())
    assert decision.conversion.record()["millimetres_per_unit"] == 10


def test_unknown_unit_is_guessed_and_said():
    decision = decide(grid_vertices() / 1000, unit=None)
    assert (decision.conversion.unit, decision.conversion.guessed) == ("m", True)
    assert "taken as m" in decision.messages[0]
    assert "--unit" in decision.messages[0]


def test_wrong_unit_is_refused_with_the_right_one():
    with pytest.raises(InputError, match=r"if its unit is mm: it is rather in cm; give --unit cm"):
        decide(grid_vertices() / 10)


def test_a_user_may_insist():
    decision = decide(grid_vertices() / 10, unit="cm", **{"axis_map": "x y z"})
    assert decision.messages == ()
    importer = FakeImporter({}, unit="cm")
    insisted = decide_conversion(
        importer, SourceFace(grid_vertices() / 10), face_template(), unit="mm"
    )
    assert insisted.conversion.insisted
    assert "cm would fit a face better" in insisted.messages[0]
    # the importer made its template with 10 mm to the unit; it follows
    np.testing.assert_allclose(insisted.template.mesh.vertices, grid_vertices() / 10)


def test_mirrored_source_is_refused_with_the_cure():
    with pytest.raises(InputError, match=r'is mirrored.*--axis-map="-x y z"'):
        decide(grid_vertices() * [-1, 1, 1])


def test_lying_source_is_refused_with_the_cure():
    lying = grid_vertices() @ axis_matrix("x z -y")
    with pytest.raises(InputError, match=r'does not stand upright.*--axis-map="x z -y"') as said:
        decide(lying)
    assert "'x y z' to insist" in str(said.value)
    assert decide(lying, axis_map="x z -y").messages == ()


def test_inward_triangles_are_turned_and_said():
    inward = reconvert(face_template(), Conversion("mm", "x y z"), Conversion("mm", "x y z"))
    mesh = type(inward.mesh)(inward.mesh.vertices, np.ascontiguousarray(grid_faces()[:, ::-1]))
    template = type(inward)("inward", mesh, inward.landmarks)
    decision = decide(grid_vertices(), template)
    assert "face inwards and are turned" in decision.messages[0]
    np.testing.assert_array_equal(decision.template.mesh.faces, grid_faces())


def test_reconvert_is_what_the_other_conversion_makes():
    source, faces = grid_vertices() @ axis_matrix("x z y") / 10, grid_faces()
    used, wanted = Conversion("mm", "x y z"), Conversion("cm", "x z y")
    made = face_template().__class__(
        "t",
        type(face_template().mesh)(used.positions(source), used.triangles(faces)),
    )
    again = reconvert(made, used, wanted)
    np.testing.assert_allclose(again.mesh.vertices, wanted.positions(source), rtol=1e-14)
    np.testing.assert_array_equal(again.mesh.faces, wanted.triangles(faces))


def read(vertices, template=True, **changes):
    importer = FakeImporter({"ann/a.obj": vertices}, **changes)
    reader = SourceReader(importer, Conversion(), face_template() if template else None)
    return reader.read(SourceItem("ann/a.obj", "ann"))


def test_a_good_face_is_read_unchanged():
    np.testing.assert_array_equal(read(bumpy_face(1)).vertices, bumpy_face(1))


def broken(value):
    vertices = bumpy_face(1)
    vertices[7, 1] = value
    return vertices


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("cut short", r"^cut short$"),
        (np.empty((0, 3)), "holds no vertices"),
        (broken(np.nan), r"1 of 143 vertices are not finite \(first: 7\)"),
        (broken(np.inf), "not finite"),
        (bumpy_face(1)[:-1], "142 vertices, the template grid has 143"),
        (bumpy_face(1) / 1000, r"apart mm, if its unit is mm: not the size of a face"),
        (np.zeros((143, 3)), "not a face"),
        (bumpy_face(1) * [-1, 1, 1], "mirrored"),
    ],
)
def test_a_bad_face_says_why(content, reason):
    with pytest.raises(BadFace, match=reason):
        read(content)


def test_a_raw_scan_with_wild_triangles_is_refused():
    class Wild(FakeImporter):
        def read(self, item):
            return SourceFace(grid_vertices(), grid_faces() + 10)

    with pytest.raises(BadFace, match=r"a triangle names vertex 152 of 143"):
        read_source_face(Wild({}, registered=False), SourceItem("a", "ann"))


def test_landmarks_are_converted_with_the_face():
    points = np.array([[1.0, 2.0, 3.0], [np.nan, 0.0, 0.0]])

    class Marked(FakeImporter):
        def read(self, item):
            return SourceFace(grid_vertices() / 10, grid_faces(), MeasuredLandmarks("", points))

    reader = SourceReader(Marked({}, registered=False), Conversion("cm", "x y z"))
    found = reader.read(SourceItem("a", "ann"))
    np.testing.assert_array_equal(found.landmarks.points[0], [10, 20, 30])
    assert np.isnan(found.landmarks.points[1, 0])
    np.testing.assert_allclose(found.vertices, grid_vertices(), rtol=1e-14)


def test_common_labels_have_their_common_numbers():
    """Two sources agree on the numbers of expressions and visemes, whichever they hold."""
    labels = [{"viseme": "B", "expression": "anger"}, {"viseme": "silence"}, {"mood": "b10"}]
    labels += [{"mood": "b9"}]
    items = [SourceItem(f"{k}", "ann", entry) for k, entry in enumerate(labels)]
    factors = catalogue(items).factors
    assert list(factors) == ["identity", "expression", "mood", "viseme"]
    assert factors["expression"] == EXPRESSIONS
    assert factors["viseme"] == VISEME_NAMES
    assert factors["viseme"][:3] == ("silence", "V1", "V2")
    assert factors["mood"] == ("b9", "b10")
    own = catalogue([*items, SourceItem("x", "ann", {"viseme": "click"})]).factors["viseme"]
    assert own == ("silence", "B", "click")
