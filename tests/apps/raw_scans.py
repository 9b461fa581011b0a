"""Small raw scans of default faces with known truth, and jobs that misbehave; all picklable."""

import os
import signal
import time
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from meshgan.apps.register_jobs import RawScan
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.synthetic import open_source
from meshgan.data.synthetic.scanner import ScanSettings, SyntheticScan, scan_face
from meshgan.geometry.rigid_icp import rotation_from_vector

SMALL = ScanSettings(faces=4000, holes=1, fragments=2, landmark_noise_mm=0.3)
SEED = 77


@lru_cache
def template():
    return open_source("low").template


@lru_cache
def make_scan(number: int, order: str = "ibug68") -> SyntheticScan:
    """A scan of person ``number``; ``landmarks`` in the given order."""
    face = open_source("low").neutral(SEED, number).astype(np.float64)
    ids = np.asarray(template().landmarks[order])
    rng = np.random.default_rng([SEED, number])
    return scan_face(face, template().mesh.faces, rng, SMALL, ids)


@lru_cache
def make_frame(frame: int, order: str = "ibug68") -> SyntheticScan:
    """A frame of person 1, whose head turns by three degrees from frame to frame."""
    face = open_source("low").neutral(SEED, 1).astype(np.float64)
    turn = rotation_from_vector(np.array([0.0, np.deg2rad(3.0 * frame), 0.0]))
    still = replace(SMALL, rotation_deg=0.0, shift_mm=0.0)
    ids = np.asarray(template().landmarks[order])
    rng = np.random.default_rng([SEED, 1, frame])
    return scan_face(face @ turn.T, template().mesh.faces, rng, still, ids)


@dataclass(frozen=True)
class ScanJob:
    """A scan that needs no file."""

    number: int

    @property
    def name(self) -> str:
        return f"person_{self.number}"

    @property
    def recording(self) -> str:
        return ""

    def fingerprint(self):
        return {"number": self.number}

    def load(self, source=None) -> RawScan:
        scan = make_scan(self.number)
        return RawScan(scan.mesh, MeasuredLandmarks("ibug68", scan.landmarks), "mm")


@dataclass(frozen=True)
class BadJob:
    """A job that raises, sleeps or is killed when it is read."""

    name: str
    recording: str = ""

    def fingerprint(self):
        return {}

    def load(self, source=None) -> RawScan:
        if self.name == "sleeps":
            time.sleep(3600)
        if self.name == "is_killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError("the disk is on fire")
