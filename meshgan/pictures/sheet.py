"""Contact sheets: many pictures on one page, with words that say what they show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from meshgan.errors import InputError
from meshgan.files import atomic_path
from meshgan.pictures.render import viridis

INK, QUIET, PAPER = (32, 36, 44), (96, 104, 116), (255, 255, 255)
MARGIN_PX, GAP_PX = 20, 6

Cell = np.ndarray | None  # uint8 (S, S, 3); None leaves the place empty


@dataclass(frozen=True)
class Sheet:
    """Pictures in rows, and the words around them.

    Args:
        images: rows of uint8 pictures (height, width, 3); all of one size, rows may differ in
            length, None leaves a place empty.
        title: large, at the top.
        row_labels: to the left of the rows, as many as rows, or none.
        column_labels: above the columns, at most as many as columns, or none.
        subtitle: one or more lines of explanation under the title.
        legend: a picture under the subtitle, for example ``colour_legend``.

    Raises:
        InputError: no picture, pictures of different sizes, or another number of labels.
    """

    images: Sequence[Sequence[Cell]]
    title: str = ""
    row_labels: Sequence[str] = ()
    column_labels: Sequence[str] = ()
    subtitle: str = ""
    legend: Image.Image | None = None

    def __post_init__(self) -> None:
        _cell_size(self.images)
        _check_labels(self.images, self.row_labels, self.column_labels)

    def draw(self, heading: bool = True) -> Image.Image:
        """The sheet as one picture; without ``heading``, title and subtitle are left out."""
        height, width = _cell_size(self.images)
        title, subtitle = (self.title, self.subtitle) if heading else ("", "")
        texts = [title, subtitle, *self.row_labels, *self.column_labels]
        small = _font(max(13, min(20, width // 9)), texts)
        large = _font(max(20, min(34, width // 6)), texts)
        left = _label_column(self.row_labels, small, width)
        columns = max(len(row) for row in self.images)
        inner = left + columns * (width + GAP_PX) - GAP_PX
        top = _Heading(title, subtitle, self.legend, large, small, inner)
        labels = _Labels(self.column_labels, small, width)
        rows_px = len(self.images) * (height + GAP_PX) - GAP_PX
        page = (inner + 2 * MARGIN_PX, top.height + labels.height + rows_px + 2 * MARGIN_PX)
        sheet = Image.new("RGB", page, PAPER)
        pen = ImageDraw.Draw(sheet)
        top.paint(sheet, pen, MARGIN_PX, MARGIN_PX)
        labels.paint(pen, MARGIN_PX + left, MARGIN_PX + top.height)
        for r, row in enumerate(self.images):
            y = MARGIN_PX + top.height + labels.height + r * (height + GAP_PX)
            if self.row_labels:
                lines = _wrap(self.row_labels[r], small, left - 12)
                _write(pen, lines, small, (MARGIN_PX + left - 12.0, y + height / 2), "rm")
            for c, picture in enumerate(row):
                if picture is not None:
                    place = (MARGIN_PX + left + c * (width + GAP_PX), y)
                    sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), place)
        return sheet


def contact_sheet(
    images: Sequence[Sequence[Cell]],
    title: str = "",
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    subtitle: str = "",
    legend: Image.Image | None = None,
) -> Image.Image:
    """Lay pictures out in rows under a title: ``Sheet(...).draw()``, which see."""
    return Sheet(images, title, row_labels, column_labels, subtitle, legend).draw()


def colour_legend(largest_mm: float, title: str = "distance", width_px: int = 420) -> Image.Image:
    """The scale that belongs to ``render.render_displacements``: 0 to ``largest_mm``."""
    font = _font(16, [title])
    sheet = Image.new("RGB", (width_px, 62), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((0, 0), f"{title}, mm", INK, font)
    ramp = (viridis(np.linspace(0, 1, width_px - 40)) * 255).round().astype(np.uint8)
    sheet.paste(Image.fromarray(np.tile(ramp, (14, 1, 1))), (4, 24))
    for step in range(5):
        x = 4 + step / 4 * (width_px - 41)
        more = "+" if step == 4 else ""
        label = f"{largest_mm * step / 4:.3g}{more}"
        draw.text((x, 42), label, QUIET, font, anchor="la" if step == 0 else "ma")
    return sheet


def save_png(image: Image.Image | np.ndarray, path: Path | str) -> None:
    """Write a picture as PNG, whole or not at all.

    Raises:
        JobError: the file cannot be written.
    """
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")


@dataclass(frozen=True)
class _Heading:
    title: str
    subtitle: str
    legend: Image.Image | None
    large: ImageFont.FreeTypeFont
    small: ImageFont.FreeTypeFont
    width: int

    @property
    def blocks(self) -> list[tuple[list[str], ImageFont.FreeTypeFont, tuple[int, int, int]]]:
        blocks = ((self.title, self.large, INK), (self.subtitle, self.small, QUIET))
        return [(_wrap(text, font, self.width), font, ink) for text, font, ink in blocks if text]

    @property
    def height(self) -> int:
        lines = sum(len(lines) * _line(font) + 6 for lines, font, _ in self.blocks)
        return lines + (0 if self.legend is None else self.legend.height + 8) + (8 if lines else 0)

    def paint(self, sheet: Image.Image, draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
        for lines, font, ink in self.blocks:
            for line in lines:
                draw.text((x, y), line, ink, font)
                y += _line(font)
            y += 6
        if self.legend is not None:
            sheet.paste(self.legend, (x, y))


@dataclass(frozen=True)
class _Labels:
    texts: Sequence[str]
    font: ImageFont.FreeTypeFont
    width: int

    @property
    def height(self) -> int:
        lines = max((len(_wrap(text, self.font, self.width)) for text in self.texts), default=0)
        return lines * _line(self.font) + (6 if lines else 0)

    def paint(self, draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
        for column, text in enumerate(self.texts):
            centre = x + column * (self.width + GAP_PX) + self.width / 2
            lines = _wrap(text, self.font, self.width)
            middle = y + self.height - 6 - len(lines) * _line(self.font) / 2
            _write(draw, lines, self.font, (centre, middle), "mm")


def _write(draw, lines: list[str], font, place: tuple[float, float], anchor: str) -> None:
    x, middle = place
    first = middle - (len(lines) - 1) * _line(font) / 2
    for k, line in enumerate(lines):
        draw.text((x, first + k * _line(font)), line, INK, font, anchor=anchor)


def _wrap(text: str, font: ImageFont.FreeTypeFont, width_px: int) -> list[str]:
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and font.getlength(longer) > width_px:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def _label_column(row_labels: Sequence[str], font: ImageFont.FreeTypeFont, cell_px: int) -> int:
    if not row_labels:
        return 0
    words = max(font.getlength(word) for label in row_labels for word in label.split())
    wanted = max(font.getlength(line) for label in row_labels for line in label.split("\n"))
    return int(max(words, min(wanted, 0.7 * cell_px))) + 12


def _line(font: ImageFont.FreeTypeFont) -> int:
    return round(font.size * 1.25)


def _font(size: int, texts: Iterable[str] = ()) -> ImageFont.FreeTypeFont:
    """Pillow's own font; its glyphs are ASCII, so other texts take the font of matplotlib."""
    if all(text.isascii() for text in texts):
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)  # always so where a size is given
        return font
    return ImageFont.truetype(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf", round(0.9 * size))


def _cell_size(images: Sequence[Sequence[Cell]]) -> tuple[int, int]:
    shapes = {picture.shape for row in images for picture in row if picture is not None}
    if not shapes:
        raise InputError("contact sheet: no picture given; give at least one row with a picture")
    if len(shapes) > 1:
        raise InputError(f"contact sheet: pictures of {len(shapes)} sizes {sorted(shapes)}, one")
    height, width, _ = shapes.pop()
    return height, width


def _check_labels(images, row_labels: Sequence[str], column_labels: Sequence[str]) -> None:
    columns = max(len(row) for row in images)
    if row_labels and len(row_labels) != len(images):
        raise InputError(f"contact sheet: {len(row_labels)} row labels for {len(images)} rows")
    if len(column_labels) > columns:
        raise InputError(f"contact sheet: {len(column_labels)} column labels for {columns} columns")
