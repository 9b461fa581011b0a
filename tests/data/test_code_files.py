"""Codes on disk: what was written comes back; other models' codes are refused by name."""

import numpy as np
import pytest
import torch

from meshgan.data.code_files import read_codes, write_codes
from meshgan.data.npz import write_npz
from meshgan.errors import FileFormatError

SIZES = {"identity": 3, "noise": 2}


def test_written_codes_come_back(tmp_path):
    codes = {"identity": torch.randn(4, 3), "noise": torch.randn(4, 2)}
    write_codes(tmp_path / "codes.npz", codes)
    found = read_codes(tmp_path / "codes.npz", SIZES)
    assert list(found) == ["identity", "noise"]
    for name, code in codes.items():
        assert torch.equal(found[name], code)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"identity": np.zeros((2, 3))}, "noise missing"),
        ({"identity": np.zeros((2, 4)), "noise": np.zeros((2, 2))}, r"identity \(2, 4\)"),
        ({"identity": np.zeros((2, 3)), "noise": np.zeros((1, 2))}, "different numbers of faces"),
        ({"identity": np.full((1, 3), np.nan), "noise": np.zeros((1, 2))}, "not finite"),
        ({"identity": np.full((1, 3), "x"), "noise": np.zeros((1, 2))}, "expected numbers"),
    ],
)
def test_codes_of_another_model_are_refused(tmp_path, arrays, message):
    write_npz(tmp_path / "codes.npz", arrays)
    with pytest.raises(FileFormatError, match=message):
        read_codes(tmp_path / "codes.npz", SIZES)
