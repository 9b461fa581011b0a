"""Reading a template's recipe: how to make it from its source, its landmarks and its regions."""

import tomllib
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from meshgan.data.synthetic.landmark_curves import Curve
from meshgan.data.synthetic.outline import Outline
from meshgan.errors import ConfigError, FileFormatError, InputError

RESOLUTIONS = {"low": "anny_low", "paper": "anny_paper"}


@dataclass(frozen=True)
class RegionRule:
    """Where a region is; see ``regions.toml`` of a template for the words."""

    inside: tuple[int, ...] = ()
    along: tuple[int, ...] = ()
    margin_mm: float = 0.0
    outline_mm: float = 0.0
    without: tuple[str, ...] = ()
    sides: bool = False


@dataclass(frozen=True)
class LandmarkRule:
    """A landmark set: base-mesh vertex ids, or "left_eye" / "right_eye" for a pupil.

    A set without places of its own lies on ``curves`` through the points of ``based_on``.
    """

    places: tuple[int | str, ...]
    labels: tuple[str, ...] = ()
    based_on: str = ""
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """How a template is made from the default faces' source."""

    name: str
    loop_steps: int
    vertices: int
    outline: Outline
    simplify_pose: dict[str, float]
    landmarks: dict[str, LandmarkRule]
    regions: dict[str, RegionRule]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for checksums and records."""
        return asdict(self)


def templates_folder() -> Path:
    """Where the recipes are: in the installed package, or beside it in a source checkout.

    Raises:
        FileFormatError: neither is there.
    """
    package = Path(str(files("meshgan")))
    for folder in (package / "data" / "templates", package.parent / "data" / "templates"):
        if folder.is_dir():
            return folder
    raise FileFormatError(f"{package}: holds no data/templates; reinstall meshgan")


def read_recipe(resolution: str) -> Recipe:
    """The recipe of a resolution: "low" or "paper", or the template's own name.

    Raises:
        InputError: there is no such resolution.
        FileFormatError: a file of the recipe is missing or not TOML.
        ConfigError: a key or a value is not what a recipe has.
    """
    name = RESOLUTIONS.get(resolution, resolution)
    if name not in RESOLUTIONS.values():
        expected = ", ".join(RESOLUTIONS)
        raise InputError(f'template: resolution is "{resolution}", expected one of {expected}')
    path = templates_folder() / name / "template.toml"
    table = _read_toml(path)
    try:
        _expect_keys(table, {*_RECIPE_KEYS}, "recipe")
        outline = dict(table["outline"])
        outline["centre_mm"] = tuple(outline["centre_mm"])
        return Recipe(
            name=name,
            loop_steps=int(table["loop_steps"]),
            vertices=int(table["vertices"]),
            outline=Outline(**outline),
            simplify_pose={k: float(v) for k, v in table["simplify_pose"].items()},
            landmarks=_landmarks(_read_toml(path.parent / table["landmarks"])),
            regions=_regions(_read_toml(path.parent / table["regions"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path}: {error}") from error


_RECIPE_KEYS = (
    *("source", "loop_steps", "vertices", "outline", "simplify_pose"),
    *("landmarks", "regions"),
)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileFormatError(f"{path}: not a readable TOML file ({error})") from error


def _expect_keys(table: dict[str, Any], expected: set[str], what: str) -> None:
    if unknown := sorted(set(table) - expected):
        raise ValueError(f"{what}: {', '.join(unknown)} is not known, expected {sorted(expected)}")


def _landmarks(table: dict[str, Any]) -> dict[str, LandmarkRule]:
    sets: dict[str, LandmarkRule] = {}
    for name, rule in table.items():
        if "curves" in rule:
            _expect_keys(rule, {"curves", "based_on", "labels"}, f"landmarks {name}")
            if not sets[rule["based_on"]].places:
                raise ValueError(f"landmarks {name}: {rule['based_on']} has no places of its own")
            curves = tuple(_curve(item) for item in rule["curves"])
            labels = tuple(rule.get("labels", ()))
            sets[name] = LandmarkRule((), labels, rule["based_on"], curves)
            continue
        _expect_keys(rule, {"places", "labels", "extends"}, f"landmarks {name}")
        before = sets[rule["extends"]] if "extends" in rule else LandmarkRule(())
        places, labels = tuple(rule["places"]), tuple(rule.get("labels", ()))
        sets[name] = LandmarkRule(before.places + places, labels)
    return sets


def _curve(table: dict[str, Any]) -> Curve:
    _expect_keys(table, {"places", "through"}, "curve")
    mixtures = (
        ((item, 1.0),) if isinstance(item, int) else tuple((int(k), float(w)) for k, w in item)
        for item in table["through"]
    )
    return Curve(tuple(map(int, table["places"])), tuple(mixtures))


def _regions(table: dict[str, Any]) -> dict[str, RegionRule]:
    known = {field.name for field in fields(RegionRule)}
    rules = {}
    for name, rule in table.items():
        _expect_keys(rule, known, f"region {name}")
        values: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in rule.items()
        }
        rules[name] = RegionRule(**values)
    return rules
