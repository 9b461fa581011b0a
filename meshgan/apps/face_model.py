"""FaceModel: a trained RUN, ready to use from Python."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan import seeding
from meshgan.apps.pretrained import run_or_pretrained
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.template import Template
from meshgan.editing.arithmetic import at_strength, check_factors, label_code
from meshgan.editing.arkit import ArkitFace, source_of
from meshgan.editing.paths import Easing, PathKind, code_path
from meshgan.editing.speech import phonemes_in_time, speech_codes
from meshgan.editing.transfer import FaceLike, TransferSettings
from meshgan.errors import FileFormatError, InputError, ShapeError
from meshgan.files import read_json
from meshgan.fitting.cameras import Camera
from meshgan.fitting.fit import Fit, join_fits
from meshgan.fitting.landmarks import fit_landmarks
from meshgan.fitting.meshes import fit_meshes
from meshgan.fitting.named_points import PointsLike, find_points
from meshgan.fitting.observations import MeshesLike, observe_landmarks, observe_meshes
from meshgan.fitting.pictures import fit_pictures
from meshgan.fitting.posed_meshes import fit_posed_meshes
from meshgan.fitting.scans import fit_scan
from meshgan.fitting.solvers import SolverName
from meshgan.fitting.uncertainty import Calibration, Uncertainty, calibrate, fit_uncertainty
from meshgan.geometry.mesh import TriMesh
from meshgan.models.base import Codes, MeshModel
from meshgan.models.decoding import decode_all
from meshgan.models.kinds import make_model
from meshgan.training.run_folder import RunFolder


class FaceModel:
    """A trained model with its template: sample, decode, fit, look up the codes of labels.

    Example:
        >>> model = FaceModel.load()  # the model that comes with the package
        >>> meshes = model.sample(2, labels={"expression": "happiness"})

    Args:
        model: turns codes into vertices.
        template: topology, landmarks, regions.
    """

    def __init__(self, model: MeshModel, template: Template) -> None:
        self.model, self.template = model, template

    @classmethod
    def load(cls, run: Path | str | None = None, device: str = "cpu") -> "FaceModel":
        """Read a RUN, or the model that comes with the package; nothing in it is executed.

        Raises:
            FileFormatError: not a RUN, or a part is missing or damaged.
        """
        folder = RunFolder(run_or_pretrained(run))
        if not folder.config_file.exists():
            raise FileFormatError(f"{folder.path}: not a RUN; train one first (meshgan train)")
        description = read_json(folder.path / "model.json")
        template = Template.load(folder.path / "template.npz")
        weights = folder.read_weights()
        try:
            model = make_model(
                description,
                torch.from_numpy(np.asarray(template.mesh.vertices, dtype=np.float32)),
                torch.from_numpy(template.mesh.faces),
                weights,
            )
        except FileFormatError as error:
            raise FileFormatError(f"{folder.path}: {error}") from error
        return cls(model.to(device).eval().requires_grad_(False), template)

    def codes(
        self,
        count: int,
        seed: int = 0,
        fix: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Codes:
        """Random codes; face k depends on (seed, k) alone, whatever the count.

        Args:
            count: number of faces B.
            seed: names the faces.
            fix: a factor whose code all faces share.
            labels: by factor the label whose code all faces take.

        Raises:
            InputError: unknown factor or label, or a factor both fixed and labelled.
        """
        if count < 1:
            raise InputError(f"count: {count} faces asked for, expected 1 or more")
        drawn = [
            self.model.sample_codes(1, seeding.torch_generator(seed, "face", k))
            for k in range(count)
        ]
        codes = {name: torch.cat([one[name] for one in drawn]) for name in drawn[0]}
        if fix is not None:
            check_factors(self.model, [fix])
            shared = self.model.sample_codes(1, seeding.torch_generator(seed, "fixed"))[fix]
            codes[fix] = shared.expand(count, -1).clone()
        for factor, label in (labels or {}).items():
            if factor == fix:
                raise InputError(f"{factor}: both fixed and labelled {label}; choose one")
            codes[factor] = self.label_code(factor, label).expand(count, -1).clone()
        return codes

    def label_code(self, factor: str, label: str) -> Float[Tensor, "1 d"]:
        """The code of one label of one factor."""
        return label_code(self.model, factor, label)

    @torch.no_grad()
    def decode(
        self,
        codes: Codes,
        out: Float[Tensor, "B V 3"] | None = None,
        precision: Literal["32", "bf16"] = "32",
    ) -> Float[Tensor, "B V 3"]:
        """Vertices in mm of any number of codes.

        Args:
            codes: by name (B, d).
            out: memory to write to, such as that of the last call: touching fresh memory takes
                time.
            precision: of the matrix products; "bf16" is quicker where the processor has it, and
                exact to some hundredths of a millimetre.

        Raises:
            InputError: the model has no such products.
        """
        return decode_all(self.model, codes, out, precision)

    def sample(
        self,
        count: int,
        seed: int = 0,
        fix: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[TriMesh]:
        """Random faces as meshes; arguments as for ``codes``."""
        return self._as_meshes(self.codes(count, seed, fix, labels))

    def fit_landmarks(
        self,
        points: PointsLike,
        targets: Float[np.ndarray | Tensor, "*B L C"],
        regularisation: float | Mapping[str, float] = 1.0,
        weights: Float[np.ndarray | Tensor, "... _"] | None = None,
        pose: bool = True,
        scale: bool = False,
        missing: bool = False,
        robust_mm: float | None = None,
        restarts: int = 1,
        solver: SolverName = "lm",
        iterations: int | None = None,
        seed: int = 0,
        unit: str = "mm",
        camera: Camera | None = None,
    ) -> Fit:
        """Codes and poses of faces of which some points were measured, in space or in pictures.

        Example:
            >>> fit = model.fit_landmarks("ibug68", measured)  # doctest: +SKIP
            >>> vertices = fit.vertices(model.model)  # doctest: +SKIP

        Args:
            points: where they are on the surface: vertex ids; face ids and barycentric weights;
                the name of a set of landmarks; single landmarks ("ibug68:30").
            targets: (L, 3) of one face or (B, L, 3) of many, in ``unit``; with a camera (L, 2)
                or (B, L, 2), pixels, y down.
            regularisation: lambda, the variance (mm^2) of the landmarks' noise along each axis.
            weights: per point, or per face and point.
            pose: solve for a rotation and a translation of each face; always with a camera.
            scale: solve for a size too; not with a camera, which says nothing about it.
            missing: take rows of NaN for missing points.
            robust_mm: points much farther off than this hardly count.
            restarts: how many starts per face.
            solver: "lm", "adam" or "adam+lm".
            iterations: steps of the solver.
            seed: of the random starts.
            unit: of targets in space.
            camera: of the pictures that the targets were seen in.

        Raises:
            InputError: as ``fitting.landmarks.fit_landmarks``, ``fitting.pictures.fit_pictures``
                and ``named_points.find_points``; or targets in a picture without a camera.
            ShapeError: another number of targets than points.
        """
        seen = observe_landmarks(points, targets, self.template, weights, unit)
        seen.check_camera(camera is not None)
        how = {
            "weights": seen.weights,
            "missing": missing,
            "robust_mm": robust_mm,
            "restarts": restarts,
            "solver": solver,
            "iterations": iterations,
            "rng": seeding.torch_generator(seed, "fit"),
        }
        places = seen.targets.to(self.device)
        if camera is not None:
            return fit_pictures(self.model, seen.points, places, camera, regularisation, **how)
        return fit_landmarks(
            self.model, seen.points, places, regularisation, pose=pose, scale=scale, **how
        )

    def fit_mesh(
        self,
        meshes: MeshesLike,
        regularisation: float | Mapping[str, float] = 1.0,
        pose: bool = True,
        scale: bool = False,
        restarts: int = 1,
        seed: int = 0,
    ) -> Fit:
        """Codes and poses of whole registered meshes.

        Args:
            meshes: one or several of the model's topology, or vertices (V, 3), (B, V, 3), mm.
            regularisation: lambda, mm^2 (sum over all vertices) per squared unit of code.
            pose: solve for a rotation and a translation of each mesh.
            scale: solve for a size too.
            restarts: how many starts per mesh.
            seed: of the random starts.

        Raises:
            ShapeError: a mesh has another topology.
            InputError: a vertex is not finite.
        """
        vertices = observe_meshes(meshes, self.template).to(self.device)
        rng = seeding.torch_generator(seed, "fit")
        if pose:
            return fit_posed_meshes(self.model, vertices, regularisation, scale, restarts, rng)
        return fit_meshes(self.model, vertices, regularisation, restarts, rng)

    def fit_scan(
        self,
        scans: TriMesh | Sequence[TriMesh],
        landmarks: MeasuredLandmarks | Sequence[MeasuredLandmarks | None] | None = None,
        regularisation: float | Mapping[str, float] = 1.0,
        scale: bool = False,
        unit: str | None = None,
    ) -> Fit:
        """Codes and poses of raw scans of any topology, holes and clutter included.

        Args:
            scans: one or several, in any pose.
            landmarks: measured on each, in its unit; without them the face is searched.
            regularisation: lambda, the variance (mm^2) of the scan's distance to a real face.
            scale: solve for a size too.
            unit: of the scans; found from their size if None.

        Raises:
            InputError: a scan is unusable or no face is found in it.
        """
        many = [scans] if isinstance(scans, TriMesh) else list(scans)
        listed = list(landmarks) if isinstance(landmarks, Sequence) else [landmarks] * len(many)
        if len(listed) != len(many):
            raise ShapeError(f"fit: {len(listed)} sets of landmarks for {len(many)} scans")
        return join_fits(
            [
                fit_scan(self.model, self.template, scan, marks, regularisation, scale, unit).fit
                for scan, marks in zip(many, listed, strict=True)
            ]
        )

    def uncertainty(
        self,
        fit: Fit,
        noise_mm: float | None = None,
        calibration: Calibration | None = None,
    ) -> Uncertainty:
        """How sure a fit of landmarks is of each vertex; see ``fitting.uncertainty``.

        Args:
            fit: of ``fit_landmarks``.
            noise_mm: deviation of the measurement along each axis; told by the residuals if None.
            calibration: of ``calibrate``, or none.

        Raises:
            InputError: not a fit of landmarks, or the noise is negative.
        """
        return fit_uncertainty(self.model, fit, noise_mm, calibration)

    def calibrate(
        self, meshes: MeshesLike, points: PointsLike, noise_mm: float = 1.0, seed: int = 0
    ) -> Calibration:
        """What makes the intervals of ``uncertainty`` right, from faces the model never saw.

        Args:
            meshes: ten or more, registered and aligned like the training data, mm.
            points: the landmarks that will be used, as for ``fit_landmarks``.
            noise_mm: deviation of their measurement along each axis.
            seed: of the noise.

        Raises:
            InputError: fewer than ten faces.
            ShapeError: another topology.
        """
        faces = observe_meshes(meshes, self.template).to(self.device)
        places = find_points(points, self.template).points
        rng = seeding.torch_generator(seed, "calibrate")
        return calibrate(self.model, faces, places, noise_mm, rng)

    def encode(self, meshes: MeshesLike) -> Codes:
        """The codes of registered meshes, by name (B, d): those of ``fit_mesh``."""
        return self.fit_mesh(meshes).codes

    def meshes(self, fit: Fit) -> list[TriMesh]:
        """The fitted faces as meshes, where they were observed."""
        vertices = fit.vertices(self.model).cpu().numpy()
        return [self.template.mesh.with_vertices(face) for face in vertices]

    def transfer(
        self,
        source: FaceLike,
        target: FaceLike,
        mode: str = "replace",
        keep_residual: bool = False,
        rest: FaceLike | None = None,
        factors: Sequence[str] = ("expression",),
        amount: float = 1.0,
        regularisation: float | None = None,
    ) -> list[TriMesh]:
        """The source's expression on the target.

        Example:
            >>> smiling = model.transfer(smile, anna, keep_residual=True)  # doctest: +SKIP

        Args:
            source: a mesh or several (mm; any topology, others are registered), or codes.
            target: the same; one face goes with many.
            mode: "replace": the source's code takes the place of the target's; "add": it is added
                to it, which is best for a target at rest.
            keep_residual: keep what the model cannot show of the target.
            rest: the source person at rest: the change from there is transferred.
            factors: which codes come from the source.
            amount: share of the change.
            regularisation: lambda of the fits, mm^2 per squared unit of code; the usual if None.

        Returns:
            A mesh per face, with the target's own vertices, where the target is.

        Raises:
            InputError: an unknown factor or mode, or no face is found in a mesh.
            ShapeError: numbers of faces that do not go together.
        """
        from meshgan.apps.transfer import transfer_in_memory  # it needs this class

        settings = TransferSettings(
            mode, tuple(factors), amount, keep_residual, regularisation=regularisation
        )
        return transfer_in_memory(self, source, target, settings, rest)

    def edit(self, codes: Codes, labels: Mapping[str, str], amount: float = 1.0) -> Codes:
        """Codes as a label has them, as much as wanted: make this face happy at 0.6.

        Args:
            codes: by name (B, d).
            labels: by factor the label, for example {"expression": "happiness"}.
            amount: 0 is at rest, 1 the label.

        Raises:
            InputError: unknown factor or label.
        """
        return at_strength(self.model, codes, labels, amount)

    def interpolate(
        self,
        keys: Sequence[Codes],
        frames: int = 50,
        kind: PathKind = "spherical",
        easing: Easing = "smooth",
    ) -> list[TriMesh]:
        """Faces on the way through several faces.

        Args:
            keys: codes of two faces or more, (1, d) each.
            frames: faces on the way, the ends among them.
            kind: "spherical" or "linear".
            easing: "smooth" (slow at each key) or "linear".

        Raises:
            InputError: fewer than two keys or frames.
        """
        return self._as_meshes(code_path(keys, frames, kind, easing))

    def speak(
        self,
        phonemes: str | Sequence[str],
        codes: Codes | None = None,
        frames_per_second: float = 25.0,
        strength: float = 1.0,
        speed: float = 1.0,
    ) -> list[TriMesh]:
        """Frames of a face that says phonemes ("HH AH0 L OW1").

        Args:
            phonemes: ARPAbet or TIMIT.
            codes: of the face (1, d), with whatever expression; the mean face if None.
            frames_per_second: of the animation.
            strength: how far the mouth moves.
            speed: 2 is twice as fast.

        Raises:
            InputError: the model has no visemes, or a phoneme is unknown.
        """
        person = codes or {
            name: torch.zeros(1, size, device=self.device)
            for name, size in self.model.code_sizes.items()
        }
        spoken = phonemes_in_time(phonemes, speed)
        speech = speech_codes(self.model, person, spoken, frames_per_second, strength, False)
        return self._as_meshes(speech.codes)

    def _as_meshes(self, codes: Codes) -> list[TriMesh]:
        return [self.template.mesh.with_vertices(face) for face in self.decode(codes).cpu().numpy()]

    def arkit(self, neutral: TriMesh) -> ArkitFace:
        """A resting face with Apple's 52 actions: posed by weights, read as weights.

        Args:
            neutral: someone at rest, on the model's topology, mm.

        Raises:
            InputError: the model's template is not one of the default faces.
            ShapeError: another topology.
        """
        return ArkitFace(source_of(self.template), neutral.vertices.astype(np.float32))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.template_vertices.device


def load_model(run: Path | str | None) -> MeshModel:
    """The model of a RUN without its facade."""
    return FaceModel.load(run).model
