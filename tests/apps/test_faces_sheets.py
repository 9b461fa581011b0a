"""Sheets show what their words say: rows and columns really share what they promise."""

import numpy as np
import pytest

from meshgan.apps.faces_sheets import FaceSheets
from meshgan.errors import InputError
from tests.fakes import EXPRESSIONS, AdditiveModel, faces_of_model


@pytest.fixture(scope="module")
def model():
    model = AdditiveModel(side=16)
    model.modes["noise"] = 0 * model.modes["noise"]
    return model


@pytest.fixture(scope="module")
def sheets(model):
    return FaceSheets(model, seed=1, size_px=48)


def test_columns_are_the_labels(sheets):
    sheet = sheets.one_identity_all_expressions(persons=2)
    assert tuple(sheet.column_labels) == EXPRESSIONS
    assert [len(row) for row in sheet.images] == [4, 4]
    first, second = sheet.images[0][:2]
    assert not np.array_equal(first, second)


def test_only_the_expression_changes_along_a_row(model, sheets):
    still = AdditiveModel(side=16)
    still.modes = {**model.modes, "expression": 0 * model.modes["expression"]}
    sheet = FaceSheets(still, seed=1, size_px=48).one_identity_all_expressions(persons=2)
    for row in sheet.images:
        for picture in row[1:]:
            np.testing.assert_array_equal(picture, row[0])
    assert not np.array_equal(sheet.images[0][0], sheet.images[1][0])


def test_transfer_gives_the_target_the_expression_of_the_source(model):
    alike = AdditiveModel(side=16)  # everybody is the same person: result must equal source
    alike.modes = {**model.modes, "identity": 0 * model.modes["identity"]}
    sheet = FaceSheets(alike, seed=1, size_px=48).transfer(count=3)
    source, target, result, _ = sheet.images
    for k in range(3):
        np.testing.assert_array_equal(source[k], result[k])
    assert not np.array_equal(target[0], result[0])


def test_transfer_to_the_own_expression_changes_nothing(sheets):
    sheet = sheets.transfer(count=4)
    k = list(sheet.column_labels).index("neutral")
    np.testing.assert_array_equal(sheet.images[1][k], sheet.images[2][k])


def test_interpolation_ends_at_the_two_faces(sheets):
    sheet = sheets.interpolation(steps=3)
    identity, expression, both = sheet.images
    np.testing.assert_array_equal(identity[0], both[0])
    np.testing.assert_array_equal(expression[0], both[0])
    assert not np.array_equal(identity[2], both[2])
    assert list(sheet.column_labels) == ["0 %", "50 %", "100 %"]


def test_nearest_training_face_of_a_copy_is_itself(model):
    sheets = FaceSheets(model, seed=1, size_px=48)
    faces = faces_of_model(model, count=20)
    generated = sheets._decode(sheets._codes(8, "nearest training faces")).numpy()
    faces._vertices[4:12] = generated
    sheet = sheets.nearest_training_faces(faces)
    assert list(sheet.column_labels) == ["0.00 mm"] * 8
    for above, below in zip(sheet.images[0], sheet.images[1], strict=True):
        np.testing.assert_array_equal(above, below)


def test_grid_and_many_identities(sheets):
    grid = sheets.identity_expression_grid(persons=3, expressions=2)
    assert [len(row) for row in grid.images] == [2, 2, 2]
    many = sheets.one_expression_many_identities(persons=5, labels=2)
    assert [len(row) for row in many.images] == [5, 5]
    assert set(many.row_labels) <= set(EXPRESSIONS)
    assert [len(row) for row in sheets.random_faces(10, columns=4).images] == [4, 4, 2]


def test_seed_decides(model, sheets):
    first, again = (FaceSheets(model, seed, size_px=48).random_faces(4, 4) for seed in (1, 1))
    np.testing.assert_array_equal(first.images[0], again.images[0])
    other = FaceSheets(model, 2, size_px=48).random_faces(4, 4)
    assert not np.array_equal(first.images[0], other.images[0])


def test_unknown_factor_is_named(model):
    with pytest.raises(InputError, match='no factor "viseme"; it has identity, expression'):
        FaceSheets(model, size_px=48, expression="viseme").transfer()
