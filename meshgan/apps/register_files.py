"""The scans that files and folders name on the command line, each with its landmarks."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from meshgan.apps.register_jobs import OWN_ORDERS, FileJob, read_measured
from meshgan.data.importers.catalogue import natural_order
from meshgan.data.landmark_orders import landmark_order, match_sets
from meshgan.data.mesh_io import READABLE_FORMATS
from meshgan.data.point_lists import READABLE_POINT_FORMATS
from meshgan.data.template import Template
from meshgan.errors import InputError

_BESIDE = ("{}_landmarks", "{}_landmarks68", "{}")
_SHOWN = 3


def find_jobs(
    scans: Sequence[Path],
    landmarks: Path | None = None,
    order: str = "ibug68",
    unit: str | None = None,
) -> list[FileJob]:
    """The scans of some files and folders, with the landmarks that lie beside them.

    Landmarks of ``smile.ply`` are ``smile_landmarks.json``, ``smile.pts``, ``smile.bnd``, ... in
    the same folder, or in the folder ``landmarks``.

    Args:
        scans: mesh files, or folders that are searched with all below them.
        landmarks: for one scan the file, for several a folder; None to look beside the scans.
        order: of landmark files whose format does not say it.
        unit: of scans and landmarks; None if it is to be found.

    Returns:
        A job per scan, sorted by name, numbers by value.

    Raises:
        InputError: a file is missing or of no mesh format, a folder holds no scan, two scans would
            have one name, or the landmarks do not fit; all such files in one message.
    """
    found = list(_files(scans))
    names = _names(found)
    if landmarks is not None and landmarks.is_file():
        if len(found) > 1:
            raise InputError(
                f"--landmarks {landmarks}: one file for {len(found):,} scans; give a folder with "
                "a landmark file per scan, or put each beside its scan (NAME_landmarks.json)"
            )
        read_measured(landmarks, order)
    elif landmarks is not None and not landmarks.is_dir():
        raise InputError(f"--landmarks {landmarks}: no such file or folder")
    landmark_order(order)
    jobs = []
    for (path, base), name in zip(found, names, strict=True):
        beside = _landmarks_of(path, base, landmarks)
        known = OWN_ORDERS.get("" if beside is None else beside.suffix.lower(), order)
        jobs.append(FileJob(name, path, beside, known, unit))
    if landmarks is not None and not any(job.landmarks for job in jobs):
        raise InputError(
            f"--landmarks {landmarks}: holds none for any scan; expected names like "
            f"{jobs[0].path.stem}_landmarks.json or {jobs[0].path.stem}.pts"
        )
    return sorted(jobs, key=lambda job: natural_order(job.name))


def check_orders(jobs: Sequence[FileJob], template: Template) -> None:
    """Refuse landmarks of an order of which the template has no point.

    Raises:
        InputError: names the order and what the template has.
    """
    for order in {job.order for job in jobs if job.landmarks is not None}:
        match_sets(order, template.landmarks)


def _files(scans: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Every scan with the folder that it was found below."""
    suffixes = {f".{kind}" for kind in READABLE_FORMATS}
    wrong = []
    for place in scans:
        path = Path(os.path.abspath(place))
        if path.is_dir():
            inside = sorted(
                file
                for file in path.rglob("*")
                if file.suffix.lower() in suffixes
                and file.is_file()
                and not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
            yield from ((file, path) for file in inside)
            if not inside:
                wrong.append(f"{place}: holds no scan ({', '.join(sorted(suffixes))})")
        elif not path.is_file():
            wrong.append(f"{place}: no such file or folder")
        elif path.suffix.lower() not in suffixes:
            known = ", ".join(READABLE_FORMATS)
            wrong.append(f"{place}: unknown mesh format {path.suffix!r}; known are {known}")
        else:
            yield path, path.parent
    if wrong or not scans:
        raise InputError(_joined(wrong) or "no scan given; give mesh files or a folder")


def _names(found: Sequence[tuple[Path, Path]]) -> list[str]:
    """Paths below the folders that were given, without suffix; longer where two are the same."""
    names = [path.relative_to(base).with_suffix("").as_posix() for path, base in found]
    if len(set(names)) < len(names):
        common = Path(os.path.commonpath([path.parent for path, _ in found]))
        names = [path.relative_to(common).with_suffix("").as_posix() for path, _ in found]
    if len(set(names)) < len(names):
        files: dict[str, list[str]] = {}
        for (path, _), name in zip(found, names, strict=True):
            files.setdefault(name, []).append(str(path))
        twice = [" and ".join(paths) for paths in files.values() if len(paths) > 1]
        raise InputError(f"{_joined(twice)}: would have one name in the results; leave one out")
    return names


def _landmarks_of(path: Path, base: Path, landmarks: Path | None) -> Path | None:
    if landmarks is not None and landmarks.is_file():
        return Path(os.path.abspath(landmarks))
    folders = [path.parent]
    if landmarks is not None:
        below = path.parent.relative_to(base)
        folders = [Path(os.path.abspath(landmarks)) / below, Path(os.path.abspath(landmarks))]
    for folder in folders:
        for name in _BESIDE:
            for kind in READABLE_POINT_FORMATS:
                for suffix in (kind, kind.upper()):
                    file = folder / f"{name.format(path.stem)}.{suffix}"
                    if file.is_file() and file != path:
                        return file
    return None


def _joined(problems: Sequence[str]) -> str:
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return "; ".join(problems[:_SHOWN]) + more
