"""Contact sheets: pictures arrive unchanged, words are drawn, files are whole."""

import numpy as np
import pytest
from PIL import Image

from meshgan.errors import InputError, JobError
from meshgan.pictures.sheet import GAP_PX, Sheet, colour_legend, contact_sheet, save_png


def tile(value: int, height: int = 60, width: int = 40) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_each_picture_is_pasted_once_and_in_order():
    sheet = np.asarray(contact_sheet([[tile(10), tile(20)], [tile(30), None]]))
    assert [(sheet == value).all(axis=-1).sum() for value in (10, 20, 30)] == [2400] * 3
    (y10, x10), (y20, x20), (y30, x30) = (
        np.argwhere((sheet == value).all(axis=-1)).mean(axis=0) for value in (10, 20, 30)
    )
    assert y10 == y20 < y30
    assert x10 == x30
    assert (x20 - x10, y30 - y10) == (40 + GAP_PX, 60 + GAP_PX)


def test_labels_and_title_leave_ink_outside_the_pictures():
    plain = contact_sheet([[tile(255)] * 3])
    assert (np.asarray(plain) == 255).all()
    told = contact_sheet([[tile(255)] * 3], "Title", ["row"], ["a", "b", "c"], "subtitle")
    dark = (np.asarray(told) < 128).any(axis=-1)
    assert dark[: told.height // 2].sum() > 100  # title and column labels
    assert dark[-60:, : told.width // 3].sum() > 10  # the row label
    assert told.width > plain.width
    assert told.height > plain.height


def test_heading_can_be_left_out():
    sheet = Sheet([[tile(0)]], "A title", subtitle="More", column_labels=["label"])
    assert sheet.draw(heading=False).height < sheet.draw().height


def test_long_labels_wrap_instead_of_overlapping():
    short = contact_sheet([[tile(0)] * 2], column_labels=["one", "two"])
    long = contact_sheet([[tile(0)] * 2], column_labels=["one", "many words under each other"])
    assert long.width == short.width
    assert long.height > short.height


@pytest.mark.parametrize("text", ["Zoë", "80 µm → 3 mm", "λ = 0.1"])
def test_letters_beyond_ascii_have_glyphs(text):
    def ink(label: str) -> np.ndarray:
        return np.asarray(contact_sheet([[tile(255, 40, 200)]], label))

    unknown = "".join(letter if letter.isascii() else "\ue000" for letter in text)
    assert not np.array_equal(ink(text), ink(unknown))


def test_legend_runs_from_dark_to_light():
    legend = np.asarray(colour_legend(5.0)).astype(int)
    bar = legend[30, 4:-40]
    luminance = bar @ [0.2126, 0.7152, 0.0722]
    assert luminance[-1] > luminance[0] + 80
    assert (np.diff(luminance) > -2).all()


def test_png_round_trip_and_failure(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    save_png(picture, tmp_path / "new" / "a.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "new" / "a.png")), picture)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JobError, match="cannot be written"):
        save_png(picture, tmp_path / "file" / "a.png")


def test_refuses_what_does_not_fit():
    with pytest.raises(InputError, match="no picture"):
        contact_sheet([[None]])
    with pytest.raises(InputError, match="2 sizes"):
        contact_sheet([[tile(0), tile(0, 50)]])
    with pytest.raises(InputError, match="2 row labels for 1 rows"):
        contact_sheet([[tile(0)]], row_labels=["a", "b"])
    with pytest.raises(InputError, match="2 column labels for 1 columns"):
        contact_sheet([[tile(0)]], column_labels=["a", "b"])
