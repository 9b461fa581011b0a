"""What a person should look at beside the numbers of a model: copies, strange faces, transfers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from meshgan.errors import InputError
from meshgan.evaluation.compactness import Compactness
from meshgan.evaluation.distances import mean_vertex_distance
from meshgan.evaluation.estimate import Estimate, FaceCollection, read_vertices
from meshgan.evaluation.memorisation import Memorisation
from meshgan.evaluation.oracle_motion import Motion
from meshgan.evaluation.regions import RegionError
from meshgan.evaluation.transfer_error import TransferCases
from meshgan.pictures.camera import Frame, frame_faces
from meshgan.pictures.plots import bar_chart, line_chart
from meshgan.pictures.render import render_displacements, render_faces
from meshgan.pictures.sheet import Sheet, colour_legend

MOST_DIRECTIONS = 60
SCALES_MM = (0.1, 0.2, 0.4, 0.8, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0, 40.0)


@dataclass(frozen=True, eq=False)
class EvaluationSheets:
    """Draws faces of one topology, all at one scale.

    Args:
        faces: triangles (F, 3).
        typical: some faces (N, V, 3), mm: what must fit into a picture.
        size_px: side of one face.
        yaw_deg: turn of the heads.
        colour: sRGB of each vertex (V, 3), for example ``pictures.paint.paint_template``.
    """

    faces: Int[Tensor, "F 3"]
    typical: Float[Tensor, "N V 3"]
    size_px: int = 190
    yaw_deg: float = 14.0
    colour: Float[np.ndarray, "V 3"] | None = None

    def closest_samples(
        self,
        samples: Float[Tensor, "S V 3"],
        found: Memorisation,
        collection: FaceCollection,
        count: int = 8,
    ) -> Sheet:
        """The samples nearest to a training face: where copies would be, if there were any.

        Args:
            samples: what the model drew, mm, in the order of ``found``.
            found: their distances.
            collection: the training faces that ``found`` points at.
            count: samples.
        """
        share = found.shares()["copies"].mean
        return self._beside_training(
            samples,
            found,
            found.closest[:count],
            collection,
            "Closest to the training data",
            f"Of {len(samples):,} samples those nearest to a training face. "
            f"{100 * share:.1f} % are nearer than any fresh real face "
            f"({float(found.fresh.min()):.2f} mm).",
        )

    def farthest_samples(
        self,
        samples: Float[Tensor, "S V 3"],
        found: Memorisation,
        collection: FaceCollection,
        count: int = 8,
    ) -> Sheet:
        """The samples farthest from all training faces: where a model draws what is no face."""
        return self._beside_training(
            samples,
            found,
            found.closest.flip(0)[:count],
            collection,
            "Farthest from the training data",
            f"Of {len(samples):,} samples those whose nearest training face is farthest; "
            f"the farthest fresh real face is at {float(found.fresh.max()):.2f} mm.",
        )

    def transfers(
        self,
        cases: TransferCases,
        predicted: Mapping[str, Float[Tensor, "_ V 3"]] | None = None,
        count: int = 6,
    ) -> Sheet:
        """Transfers beside the truth, and where they are wrong.

        Args:
            cases: with the true answers.
            predicted: what else to show, by name, in the order of the cases; the additive transfer
                is always shown.
            count: cases; those whose expression moves the target most.
        """
        chosen = mean_vertex_distance(cases.truth, cases.target).argsort(descending=True)[:count]
        truth = cases.truth[chosen]
        methods = {"additive": cases.additive()[chosen]}
        methods |= {name: shown[chosen] for name, shown in (predicted or {}).items()}
        rows = [
            self._draw(shown) for shown in (cases.expressive[chosen], cases.target[chosen], truth)
        ]
        labels = ["expression of", "put on", "truth"]
        errors = torch.stack([(shown - truth).norm(dim=-1) for shown in methods.values()])
        most = _round_scale(errors)
        for name, shown in methods.items():
            rows += [self._draw(shown), self._distances(shown, truth, most)]
            labels += [name, f"error of {name}"]
        first = mean_vertex_distance(methods["additive"], truth)
        return Sheet(
            rows,
            "Transfers against the truth",
            labels,
            [f"{float(mm):.2f} mm" for mm in first],
            "Above each column: the error of the additive transfer.",
            colour_legend(most, "error"),
        )

    def interaction_map(
        self, template: Float[Tensor, "V 3"], left: Float[Tensor, "P E V 3"]
    ) -> Sheet:
        """Where on the face people move differently, beyond what any additive model can show.

        Args:
            template: the face to colour, mm.
            left: ``transfer_error.interaction`` of a grid.
        """
        size = left.norm(dim=-1).flatten(0, 1).numpy()
        shown = torch.from_numpy(np.stack([size.mean(axis=0), np.percentile(size, 95, axis=0)]))
        most = _round_scale(shown)
        shift = torch.zeros(2, *template.shape)
        shift[..., 0] = shown
        both = template.expand(2, -1, -1)
        return Sheet(
            [self._distances(both, both + shift, most)],
            "Identity-dependent expression",
            column_labels=["mean", "95 % of faces"],
            subtitle="What row and column effects of persons x expressions leave at each vertex.",
            legend=colour_legend(most, "interaction", width_px=self.size_px + 50),
        )

    def _beside_training(
        self,
        samples: Tensor,
        found: Memorisation,
        chosen: Int[Tensor, " n"],
        collection: FaceCollection,
        title: str,
        words: str,
    ) -> Sheet:
        if len(samples) != len(found.samples):
            raise InputError(
                f"sheets: {len(samples):,} samples, but distances of {len(found.samples):,}"
            )
        drawn = samples[chosen]
        real = read_vertices(collection, found.nearest[chosen].numpy()).to(drawn)
        most = _round_scale((drawn - real).norm(dim=-1))
        return Sheet(
            [self._draw(drawn), self._draw(real), self._distances(drawn, real, most)],
            title,
            ["sample", "nearest training face", "difference"],
            [f"{float(mm):.2f} mm" for mm in found.samples[chosen]],
            words,
            colour_legend(most),
        )

    @cached_property
    def _frame(self) -> Frame:
        return frame_faces(self.typical[:64], self.yaw_deg, margin=0.01)

    @cached_property
    def _columns(self) -> slice:
        """Pixel columns that faces use: a face is higher than wide."""
        points_px, _ = self._frame.to_pixels(self._frame.turn(self.typical[:64]), self.size_px)
        low, high = float(points_px[..., 0].min()), float(points_px[..., 0].max())
        spare = max(0, int(min(low, self.size_px - high)) - 2)
        return slice(spare, self.size_px - spare)

    def _draw(self, vertices: Float[Tensor, "B V 3"]) -> list[UInt8[np.ndarray, "H W 3"]]:
        shown = render_faces(
            vertices, self.faces, self.size_px, colour=self.colour, box=self._frame
        )
        return list(shown[:, :, self._columns])

    def _distances(
        self, vertices: Float[Tensor, "B V 3"], reference: Float[Tensor, "B V 3"], most_mm: float
    ) -> list[UInt8[np.ndarray, "H W 3"]]:
        shown = render_displacements(
            vertices, reference, self.faces, most_mm, self.size_px, box=self._frame
        )
        return list(shown[:, :, self._columns])


def distance_chart(found: Memorisation) -> Image.Image:
    """How near samples and fresh real faces come to the training data, as cumulative shares."""
    curves = {name: (x, 100 * y) for name, (x, y) in found.distributions().items()}
    return line_chart(
        curves,
        "Distance to the nearest training face",
        "mean vertex distance, mm",
        "faces below, %",
    )


def compactness_chart(sets: Mapping[str, Compactness]) -> Image.Image:
    """Share of the variance in the leading directions, one line per model or data set."""
    curves = {
        name: (
            np.arange(1, min(MOST_DIRECTIONS, len(found.cumulative)) + 1),
            100 * found.cumulative[:MOST_DIRECTIONS],
        )
        for name, found in sets.items()
    }
    return line_chart(curves, "Compactness", "principal directions", "variance, %")


def span_chart(sets: Mapping[str, Mapping[int, Estimate]]) -> Image.Image:
    """How well the leading directions of samples show people who were left out."""
    curves = {
        name: (list(found), [value.mean for value in found.values()])
        for name, found in sets.items()
    }
    return line_chart(
        curves,
        "Held-out people in the span of the samples",
        "principal directions",
        "mean vertex distance, mm",
    )


def leak_chart(models: Mapping[str, Mapping[str, Motion]]) -> Image.Image:
    """How much of each true factor moves when only the other code changes, in % of its range."""
    bars: dict[str, dict[str, float]] = {}
    for name, motion in models.items():
        bars[name] = {
            f"{factor} moved by {code}": 100 * moved.share(code).mean
            for factor, moved in motion.items()
            for code in moved.leak
            if code != "noise"
        }
    return bar_chart(bars, "Leaks, read by the oracle", "% of what random faces differ")


def region_chart(
    methods: Mapping[str, Mapping[str, RegionError]], title: str = "Transfer error by region"
) -> Image.Image:
    """Mean error by region of the face, one colour per method; sides are taken together."""
    bars: dict[str, dict[str, float]] = {}
    for name, errors in methods.items():
        sides: dict[str, list[float]] = {}
        for region, error in errors.items():
            plain = region.removeprefix("left_").removeprefix("right_")
            sides.setdefault(plain, []).append(error.mean.mean)
        bars[name] = {region: round(float(np.mean(values)), 2) for region, values in sides.items()}
    width_in = 1.5 + 0.32 * sum(len(values) for values in bars.values())
    return bar_chart(bars, title, "mm", size_in=(max(7.0, width_in), 3.4))


def _round_scale(distance: Float[Tensor, "*shape"]) -> float:
    """Upper end of the colours, mm: nearly all of it, a number whose quarters are short."""
    most = float(np.quantile(distance.numpy(), 0.99))
    return next((step for step in SCALES_MM if step >= most), SCALES_MM[-1])
