"""Configurations: strict, with errors that name every problem at once."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from meshgan import config
from meshgan.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    steps: int = 3
    rate: float = 2e-4
    kind: Literal["a", "b"] = "a"

    def __post_init__(self):
        config.require(self, steps=self.steps > 0)


@dataclass(frozen=True)
class Outer:
    train: Inner = field(default_factory=Inner)
    names: tuple[str, ...] = ("x",)
    weights: dict[str, float] = field(default_factory=dict)
    limit: int | None = None


def test_round_trip(tmp_path):
    made = Outer(train=Inner(steps=7, kind="b"), names=("p", "q"), weights={"w": 0.5})
    config.write(tmp_path / "c.yaml", made)
    assert config.read(Outer, tmp_path / "c.yaml") == made


def test_overrides_are_yaml(tmp_path):
    (tmp_path / "c.yaml").write_text("train: {steps: 5}\n")
    overrides = ["train.rate=1e-3", "names=[a, b]", "limit=4"]
    read = config.read(Outer, tmp_path / "c.yaml", ["train.rate=0.001", *overrides[1:]])
    assert read == Outer(train=Inner(steps=5, rate=0.001), names=("a", "b"), limit=4)


def test_all_problems_in_one_message():
    with pytest.raises(ConfigError) as caught:
        config.build(Outer, {"train": {"stepz": 3, "rate": "high"}, "names": "x"}, "my.yaml")
    message = str(caught.value)
    assert message.startswith("my.yaml: ")
    assert "train.stepz is not a setting (did you mean train.steps?)" in message
    assert "train.rate must be a number, found 'high'" in message
    assert "names must be a list of a text" in message


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"train": {"steps": True}}, "whole number"),
        ({"train": {"kind": "c"}}, "one of a, b"),
        ({"train": 3}, "group of settings"),
        ({"train": {"steps": 0}}, "steps = 0 is out of range"),
        ({"limit": 2.5}, "whole number or nothing"),
    ],
)
def test_refuses(values, says):
    with pytest.raises(ConfigError, match=says):
        config.build(Outer, values)


def test_bad_files(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        config.read(Outer, tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(ConfigError, match="not YAML"):
        config.read(Outer, tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(ConfigError, match="expected keys and values"):
        config.read(Outer, tmp_path / "list.yaml")


def test_scientific_notation_without_dot_is_a_number():
    assert config.override({}, ["rate=1e-3"]) == {"rate": 0.001}


def test_malformed_override():
    with pytest.raises(ConfigError, match="expected key=value"):
        config.override({}, ["train.steps"])
    with pytest.raises(ConfigError, match="not a group"):
        config.override({"train": 3}, ["train.steps=1"])
