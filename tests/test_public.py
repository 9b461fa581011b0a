"""The public names load on first use and are what they say."""

import subprocess
import sys

import meshgan


def test_every_public_name_loads():
    for name in meshgan.__all__:
        assert getattr(meshgan, name) is not None


def test_metrics_are_reachable():
    from meshgan.evaluation.diversity import model_diversity

    assert meshgan.metrics.model_diversity is model_diversity


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(meshgan, "no_such_name")


def test_importing_the_package_loads_no_torch():
    code = "import meshgan, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
