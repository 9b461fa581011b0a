"""What a person should look at to judge a model: sheets of its faces, each with a title."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from meshgan.errors import InputError
from meshgan.evaluation.distances import mean_vertex_distance
from meshgan.evaluation.estimate import FaceCollection, read_vertices
from meshgan.evaluation.specificity import specificity
from meshgan.models.base import Codes, MeshModel
from meshgan.pictures.camera import Frame, frame_faces
from meshgan.pictures.render import render_displacements, render_faces
from meshgan.pictures.sheet import Sheet, colour_legend
from meshgan.seeding import torch_generator

MOST_COLUMNS = 9


@dataclass(frozen=True)
class FaceSheets:
    """Draws the sheets of one model; all faces of all sheets at one scale.

    Args:
        model: decodes codes to meshes.
        seed: of every draw; each sheet has its own stream.
        size_px: side of one face.
        yaw_deg: turn of the heads; a slight turn shows the profile and both cheeks.
        identity: the factor that says who it is.
        expression: the factor that says what the face does.
        colour: sRGB of each vertex (V, 3), for example ``pictures.paint.paint_template``.

    Raises:
        InputError: the model has no such factor (when a sheet needs it).
    """

    model: MeshModel
    seed: int = 0
    size_px: int = 190
    yaw_deg: float = 14.0
    identity: str = "identity"
    expression: str = "expression"
    colour: Float[np.ndarray, "V 3"] | None = None

    def random_faces(self, count: int = 24, columns: int = 8) -> Sheet:
        """Faces from random codes: what the model believes that people look like."""
        pictures = list(self._draw(self._decode(self._codes(count, "random faces"))))
        rows = [pictures[k : k + columns] for k in range(0, count, columns)]
        return Sheet(rows, "Random faces", subtitle="Every code is drawn at random.")

    def one_identity_all_expressions(self, persons: int = 3) -> Sheet:
        """Each row one person, each column the fixed code of an expression label."""
        codes, names = self._labelled(self.expression)
        rows = self._grid(self._codes(persons, "persons"), codes, self.expression)
        return Sheet(
            rows,
            "One identity in all expressions",
            [f"person {k + 1}" for k in range(persons)],
            names,
            f"A row shares the {self.identity} code; a column has the code of its label.",
        )

    def one_expression_many_identities(self, persons: int = 8, labels: int | None = None) -> Sheet:
        """Each row one labelled expression, each column one random person."""
        codes, names = self._labelled(self.expression)
        chosen = _spread(len(names), min(len(names), labels or 3))
        grid = self._grid(self._codes(persons, "many persons"), codes[chosen], self.expression)
        return Sheet(
            [list(row) for row in zip(*grid, strict=True)],
            "One expression on many identities",
            [names[k] for k in chosen],
            [f"person {k + 1}" for k in range(persons)],
            f"A row shares the {self.expression} code; a column shares the {self.identity} code.",
        )

    def identity_expression_grid(self, persons: int = 5, expressions: int = 7) -> Sheet:
        """Random persons (rows) with random expressions (columns), fresh noise in each face."""
        codes = self._codes(expressions, "grid expressions")[self._factor(self.expression)]
        return Sheet(
            self._grid(self._codes(persons, "grid persons"), codes, self.expression, fresh=True),
            f"{self.identity.title()} x {self.expression}",
            [f"person {k + 1}" for k in range(persons)],
            [f"expression {k + 1}" for k in range(expressions)],
            "Both codes are random; a row keeps the person, a column keeps the expression.",
        )

    def transfer(self, count: int = 7) -> Sheet:
        """The expression of a source put on a target, and how far that moves the target.

        Source: Fernández Abrevaya et al. 2019, Sec. 5.5, transfer by replacing the code.
        """
        labelled, names = self._labelled(self.expression)
        chosen = _spread(len(names), count)
        source = {**self._codes(count, "transfer sources"), self.expression: labelled[chosen]}
        target = self._codes(count, "transfer targets")
        if "neutral" in names:
            calm = labelled[[names.index("neutral")] * count]
            target = {**target, self.expression: calm}
        result = {**target, self.expression: source[self.expression]}
        sources, targets, results = (self._decode(codes) for codes in (source, target, result))
        change, scale = self._compare(results, targets)
        return Sheet(
            [list(self._draw(meshes)) for meshes in (sources, targets, results)] + [change],
            "Expression transfer",
            ["source", "target", "result", "change of the target"],
            [names[k] for k in chosen],
            "The result has the source's expression code and all other codes of the target.",
            scale,
        )

    def interpolation(self, steps: int = 9) -> Sheet:
        """From one face to another: the person alone, the expression alone, both."""
        self._factor(self.identity), self._factor(self.expression)
        ends = self._codes(2, "interpolation")
        share = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]
        path = {
            name: ((1 - share) * code[:1].cpu() + share * code[1:].cpu()).to(code)
            for name, code in ends.items()
        }
        start = {name: code[:1].expand(steps, -1) for name, code in ends.items()}
        rows = {
            f"only {self.identity}": {**start, self.identity: path[self.identity]},
            f"only {self.expression}": {**start, self.expression: path[self.expression]},
            "all codes": path,
        }
        return Sheet(
            [list(self._draw(self._decode(codes))) for codes in rows.values()],
            "Interpolation",
            list(rows),
            [f"{100 * float(value):.0f} %" for value in share],
            "Straight lines between the codes of two random faces.",
        )

    def nearest_training_faces(self, collection: FaceCollection, count: int = 8) -> Sheet:
        """Generated faces, the nearest real face of the training data, and what differs.

        A model that memorises shows dark blue faces in the last row.
        """
        generated = self._decode(self._codes(count, "nearest training faces"))
        found = specificity(generated, collection)
        real = read_vertices(collection, found.nearest.numpy())
        difference, scale = self._compare(generated, real)
        return Sheet(
            [list(self._draw(generated)), list(self._draw(real)), difference],
            "Nearest training faces",
            ["generated", "nearest real face", "difference"],
            [f"{float(mm):.2f} mm" for mm in mean_vertex_distance(generated, real)],
            "Above each pair: its mean vertex distance. Copies would be near 0 mm.",
            scale,
        )

    @cached_property
    def _frame(self) -> Frame:
        return frame_faces(self._decode(self._codes(32, "frame")), self.yaw_deg, margin=0.01)

    @cached_property
    def _columns(self) -> slice:
        """Pixel columns that faces use: a face is higher than wide."""
        turned = self._frame.turn(self._decode(self._codes(32, "frame")))
        points_px, _ = self._frame.to_pixels(turned, self.size_px)
        low = points_px[..., 0].amin(dim=1).quantile(0.05)
        high = points_px[..., 0].amax(dim=1).quantile(0.95)
        spare = max(0, int(min(low, self.size_px - high)) - self.size_px // 25)
        return slice(spare, self.size_px - spare)

    def _codes(self, count: int, purpose: str) -> Codes:
        return dict(self.model.sample_codes(count, torch_generator(self.seed, "sheet", purpose)))

    @torch.no_grad()
    def _decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        return self.model.decode(codes).float().cpu()

    def _draw(self, vertices: Float[Tensor, "B V 3"]) -> UInt8[np.ndarray, "B H W 3"]:
        faces = self.model.faces.cpu()
        pictures = render_faces(vertices, faces, self.size_px, colour=self.colour, box=self._frame)
        return pictures[:, :, self._columns]

    def _compare(
        self, vertices: Float[Tensor, "B V 3"], reference: Float[Tensor, "B V 3"]
    ) -> tuple[list[np.ndarray], Image.Image]:
        """Faces coloured by their distance from ``reference``, and the scale."""
        distance = (vertices - reference).norm(dim=-1)
        most = max(1.0, float(np.quantile(distance.numpy(), 0.99).round()))
        faces = self.model.faces.cpu()
        pictures = render_displacements(
            vertices, reference, faces, most, self.size_px, box=self._frame
        )
        return list(pictures[:, :, self._columns]), colour_legend(most)

    def _grid(
        self, persons: Codes, codes: Tensor, factor: str, fresh: bool = False
    ) -> list[list[np.ndarray]]:
        """Rows of pictures: every person with each code of ``factor``."""
        self._factor(self.identity)
        count, columns = len(persons[self.identity]), len(codes)
        everything = {name: code.repeat_interleave(columns, 0) for name, code in persons.items()}
        everything[factor] = codes.repeat(count, 1).to(persons[factor])
        if fresh and "noise" in everything:
            everything["noise"] = self._codes(count * columns, "grid noise")["noise"]
        pictures = self._draw(self._decode(everything))
        return [list(pictures[k * columns : (k + 1) * columns]) for k in range(count)]

    def _labelled(self, factor: str) -> tuple[Float[Tensor, "K d"], list[str]]:
        names = list(self.model.factors[self._factor(factor)])[:MOST_COLUMNS]
        codes = self.model.label_codes(factor).detach()[: len(names)]
        return codes.to(self._codes(1, "kind")[factor]), names

    def _factor(self, name: str) -> str:
        if name not in self.model.factors:
            raise InputError(
                f'sheets: the model has no factor "{name}"; it has {", ".join(self.model.factors)}'
            )
        return name


def _spread(available: int, count: int) -> list[int]:
    """``count`` labels far apart in the list, the first one (often neutral) last; or repeated."""
    order = [*range(1, available), 0]
    if count < len(order) - 1:
        return [order[round(k)] for k in np.linspace(0, len(order) - 2, count)]
    return [order[k % available] for k in range(count)]
