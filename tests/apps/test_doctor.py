"""Doctor: says what is missing and how to get it; optional things do not fail it."""

import pytest

from meshgan.apps import doctor


@pytest.fixture(autouse=True)
def without_extras(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)


def test_this_environment_is_fine(monkeypatch, tmp_path):
    monkeypatch.setenv("MESHGAN_CACHE", str(tmp_path / "not" / "yet"))
    found = doctor.examine()
    assert found["ok"]
    checks = found["checks"]
    assert {
        "python",
        "torch",
        "gpu",
        "cache",
        "open3d",
        "open3d_drawing",
        "pytorch3d",
    } <= checks.keys()
    assert all(check["state"] in {"ok", "missing", "optional"} for check in checks.values())
    assert "pip install 'meshgan[viewer]'" in checks["open3d"]["found"]
    assert str(tmp_path / "not" / "yet") in checks["cache"]["found"]
    assert not (tmp_path / "not").exists()  # looking changes nothing


def test_a_missing_package_fails_and_says_what_to_do(monkeypatch):
    def version(name):
        if name == "libigl":
            raise doctor.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(doctor, "version", version)
    found = doctor.examine()
    assert not found["ok"]
    assert found["checks"]["libigl"] == {
        "state": "missing",
        "found": "not installed; run: pip install libigl",
    }


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("MESHGAN_CACHE", str(tmp_path))
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    check = doctor.examine()["checks"]["cache"]
    assert check["state"] == "missing"
    assert "set MESHGAN_CACHE" in check["found"]


def test_open3d_without_its_libraries(monkeypatch):
    monkeypatch.setattr(doctor, "import_problem", lambda: None)
    monkeypatch.setattr(doctor, "offscreen_problem", lambda: "no driver; run: apt-get install x")
    checks = doctor.examine()["checks"]
    assert checks["open3d"]["state"] == "ok"
    assert checks["open3d_drawing"]["state"] == "optional"
    assert checks["open3d_drawing"]["found"].endswith("run: apt-get install x")
