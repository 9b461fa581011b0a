"""Is a DATA folder whole and sensible? Every doubt is named, with the file it is about."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from meshgan.data.importers.plausibility import FaceSize
from meshgan.data.manifest import Manifest, Shard, read_manifest
from meshgan.data.rows import UNLABELLED
from meshgan.data.shard_files import VertexFile, read_table
from meshgan.data.store import Store
from meshgan.errors import FileFormatError, MeshGANError
from meshgan.files import checksum
from meshgan.reporting import progress

_OUTER_EYE_CORNERS = [36, 45]  # in iBUG order: the subject's right, left
_CHUNK = 64


@dataclass
class Findings:
    """What ``validate`` found.

    Args:
        problems: what must not be: damage, impossible values, a wrong unit.
        warnings: what is allowed but worth knowing: thin or missing labels.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """No problems."""
        return not self.problems


def validate(path: Path | str) -> Findings:
    """Check a DATA folder from the manifest to the last bit; memory use is bounded.

    Problems: a damaged or unreadable manifest, template or shard (flipped byte, cut short,
    missing, other topology), an unfinished build, vertices that are not finite, labels or ids out
    of range, meshes or frames that occur twice, faces of a size that suggests another unit.
    Warnings: faces of a rare size, factors with few labels, labels with no or a single mesh.
    """
    findings = Findings()
    folder = Path(path)
    try:
        manifest = read_manifest(folder)
        store = Store(folder, partial=True)
    except MeshGANError as error:
        findings.problems.append(str(error))
        return findings
    if not manifest.complete:
        findings.problems.append(
            f"{folder}: the build stopped after {store.count:,} meshes; go on with --resume"
        )
    if not store.count:
        findings.problems.append(f"{folder}: holds no meshes")
    corners = _eye_corners(store, findings)
    keys: list[np.ndarray] = []
    tables: list[dict[str, np.ndarray]] = []
    for shard in progress(manifest.shards, "checking shards", unit="shard"):
        try:
            keys.append(_check_vertices(folder, shard, manifest, corners, findings))
            tables.append(_check_table(folder, shard, manifest, findings))
        except FileFormatError as error:
            findings.problems.append(str(error))
    if len(keys) == len(tables) == len(manifest.shards) > 0:
        findings.problems += _duplicate_meshes(store, np.concatenate(keys))
        findings.problems += _duplicate_frames(store)
        findings.warnings += _thin_labels(store)
    return findings


def _eye_corners(store: Store, findings: Findings) -> np.ndarray | None:
    try:
        landmarks = store.template.landmarks.get("ibug68")
    except MeshGANError as error:
        findings.problems.append(str(error))
        return None
    return None if landmarks is None else landmarks[_OUTER_EYE_CORNERS]


def _check_vertices(
    folder: Path, shard: Shard, manifest: Manifest, corners: np.ndarray | None, findings: Findings
) -> np.ndarray:
    """Check the positions of a shard; gives a 32-bit key per mesh for the search of twins."""
    path = folder / shard.vertices_file
    file = VertexFile(folder, shard, manifest.vertex_count)
    if checksum(path) != shard.vertices_sha256:
        findings.problems.append(f"{path}: damaged, its checksum is not the manifest's")
    keys, sizes, bad = [], [], 0
    for start in range(0, shard.rows, _CHUNK):
        count = min(_CHUNK, shard.rows - start)
        chunk = np.empty((count, manifest.vertex_count, 3), dtype=np.float32)
        file.read(start, chunk)
        finite = np.isfinite(chunk).all(axis=(1, 2))
        bad += int((~finite).sum())
        keys += [zlib.crc32(mesh.tobytes()) for mesh in chunk]
        sizes.append(_sizes(chunk[finite], corners))
    if bad:
        findings.problems.append(f"{path}: {bad:,} meshes hold values that are not finite")
    _judge_sizes(path, np.concatenate(sizes), corners is not None, findings)
    return np.array(keys, dtype=np.int64)


def _sizes(meshes: np.ndarray, corners: np.ndarray | None) -> np.ndarray:
    """What each mesh's scale is judged by, mm."""
    if corners is None:
        return np.ptp(meshes[:, :, 1], axis=1)
    return np.linalg.norm(meshes[:, corners[0]] - meshes[:, corners[1]], axis=1)


def _judge_sizes(path: Path, sizes: np.ndarray, by_eyes: bool, findings: Findings) -> None:
    """A size that another unit explains better is a problem, one that is only rare a warning.

    As in an import: a whole head is higher than a face, a child's eyes are closer.
    """
    judged = [FaceSize(float(size), by_eyes) for size in sizes]
    outside = np.array([not size.plausible for size in judged], dtype=bool)
    if not outside.any():
        return
    low, high = judged[0].expected_mm
    what = "outer eye corners" if by_eyes else "the face's top and bottom"
    message = (
        f"{path}: {what} are {sizes[outside].min():.4g} to {sizes[outside].max():.4g} mm apart in "
        f"{int(outside.sum()):,} of {len(sizes):,} meshes, expected {low:g} to {high:g}"
    )
    units = {size.unit() if size.length > 0 else None for size in judged}
    if units == {"mm"}:
        findings.warnings.append(message)
        return
    typical = FaceSize(float(np.median(sizes)), by_eyes)
    unit = typical.unit() if typical.length > 0 else "mm"
    findings.problems.append(message if unit == "mm" else f"{message}; were they given in {unit}?")


def _check_table(
    folder: Path, shard: Shard, manifest: Manifest, findings: Findings
) -> dict[str, np.ndarray]:
    path = folder / shard.table_file
    table = read_table(folder, shard, manifest)
    if checksum(path) != shard.table_sha256:
        findings.problems.append(f"{path}: damaged, its checksum is not the manifest's")
    limits = {f"label.{name}": (-1, len(names)) for name, names in manifest.factors.items()}
    limits |= {"subject": (0, len(manifest.subjects)), "sequence": (-1, None), "frame": (0, None)}
    for name, (low, end) in limits.items():
        outside = table[name] < low
        if end is not None:
            outside |= table[name] >= end
        if outside.any():
            found = table[name][outside][0]
            findings.problems.append(
                f"{path}: {int(outside.sum()):,} values of {name} out of range, such as {found}"
            )
    return table


def _duplicate_meshes(store: Store, keys: np.ndarray) -> Iterator[str]:
    order = np.argsort(keys, kind="stable")
    suspects = np.flatnonzero(np.diff(keys[order]) == 0)
    twins = []
    for place in suspects.tolist():
        pair = order[place : place + 2]
        first, second = store.vertices(pair)
        if np.array_equal(first, second):
            twins.append(pair)
    if twins:
        first, second = twins[0]
        yield (
            f"{store.path}: {len(twins):,} meshes occur twice, such as row {second:,}, "
            f"the same as row {first:,}"
        )


def _duplicate_frames(store: Store) -> Iterator[str]:
    recorded = np.flatnonzero(store.sequence >= 0)
    names = np.stack([store.subject, store.sequence, store.frame], axis=1)[recorded]
    _, first, inverse, counts = np.unique(
        names, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    if (counts > 1).any():
        group = int(np.argmax(counts > 1))
        rows = recorded[np.flatnonzero(inverse.ravel() == group)[:2]]
        subject, sequence, frame = names[first[group]]
        yield (
            f"{store.path}: {int((counts - 1).sum()):,} frames occur twice, such as frame {frame} "
            f"of sequence {sequence}, subject {store.subjects[subject]} (rows {rows.tolist()})"
        )


def _thin_labels(store: Store) -> Iterator[str]:
    for factor, names in store.factors.items():
        labels = store.labels(factor)
        labelled = labels[labels > UNLABELLED]
        if not len(labelled):
            yield f"{store.path}: no mesh has a label of {factor}"
            continue
        counts = np.bincount(labelled[labelled < len(names)], minlength=len(names))
        for number, what in ((0, "no mesh"), (1, "a single mesh")):
            thin = [name for name, count in zip(names, counts, strict=True) if count == number]
            if thin:
                shown = ", ".join(thin[:5]) + (" and more" if len(thin) > 5 else "")
                yield (
                    f"{store.path}: {factor} labels with {what}: {len(thin):,} of {len(names):,} "
                    f"({shown})"
                )


def label_coverage(store: Store) -> dict[str, dict[str, float | int]]:
    """Per factor: how many labels there are, how many occur, and the share of labelled meshes."""
    coverage = {}
    for factor, names in store.factors.items():
        labels = store.labels(factor)
        labelled = labels[labels > UNLABELLED]
        coverage[factor] = {
            "names": len(names),
            "used": len(np.unique(labelled)),
            "labelled": len(labelled),
            "share": len(labelled) / max(1, store.count),
        }
    return coverage
