"""What emotions and speech sounds look like, as mixtures of ARKit facial actions.

``name*`` stands for both ``nameLeft`` and ``nameRight``. The emotions follow the action units (AU)
of the Facial Action Coding System, several styles each.

Source: Ekman and Friesen 1978 (action units of emotions); Neti et al. 2000 (viseme classes).
"""

from collections.abc import Mapping

Recipe = Mapping[str, float]


def both_sides(recipe: Recipe) -> dict[str, float]:
    """A recipe with every ``name*`` written out for the left and the right."""
    sided: dict[str, float] = {}
    for name, weight in recipe.items():
        sides = [name[:-1] + side for side in ("Left", "Right")] if name[-1] == "*" else [name]
        sided |= dict.fromkeys(sides, weight)
    return sided


_ANGER = (
    {  # AU 4+5+7+23/24: lips pressed
        "browDown*": 1.0,
        "eyeSquint*": 0.55,
        "eyeWide*": 0.25,
        "noseSneer*": 0.35,
        "mouthPress*": 0.55,
        "mouthRollLower": 0.35,
        "mouthRollUpper": 0.15,
        "mouthFrown*": 0.2,
        "mouthShrugLower": 0.25,
    },
    {  # AU 4+5+7+10+25/26: teeth shown
        "browDown*": 1.0,
        "eyeWide*": 0.55,
        "eyeSquint*": 0.35,
        "noseSneer*": 0.55,
        "mouthUpperUp*": 0.55,
        "mouthLowerDown*": 0.75,
        "jawOpen": 0.4,
        "mouthFunnel": 0.15,
        "mouthStretch*": 0.25,
    },
    {  # chin forward
        "browDown*": 0.8,
        "eyeSquint*": 0.8,
        "noseSneer*": 0.2,
        "jawForward": 0.5,
        "mouthPress*": 0.3,
        "mouthShrugLower": 0.6,
        "mouthFrown*": 0.35,
    },
)
_DISGUST = (
    {  # AU 9+10
        "noseSneer*": 1.0,
        "browDown*": 0.55,
        "cheekSquint*": 0.55,
        "eyeSquint*": 0.6,
        "mouthUpperUp*": 0.65,
        "mouthFrown*": 0.25,
    },
    {  # AU 9+10+15+25: mouth open
        "noseSneer*": 0.7,
        "browDown*": 0.35,
        "cheekSquint*": 0.4,
        "eyeSquint*": 0.5,
        "mouthUpperUp*": 0.9,
        "mouthLowerDown*": 0.45,
        "jawOpen": 0.12,
        "mouthFrown*": 0.4,
    },
    {  # AU 9+15+17: chin raised
        "noseSneer*": 0.6,
        "browDown*": 0.4,
        "eyeSquint*": 0.45,
        "mouthUpperUp*": 0.35,
        "mouthShrugLower": 0.75,
        "mouthFrown*": 0.6,
    },
)
_FEAR = (
    {  # AU 1+2+4+5+20+25
        "browInnerUp": 1.0,
        "browOuterUp*": 0.55,
        "browDown*": 0.35,
        "eyeWide*": 1.0,
        "mouthStretch*": 0.75,
        "mouthLowerDown*": 0.3,
        "jawOpen": 0.16,
    },
    {  # lips tense
        "browInnerUp": 0.9,
        "browOuterUp*": 0.35,
        "browDown*": 0.45,
        "eyeWide*": 0.9,
        "mouthStretch*": 0.9,
        "jawOpen": 0.05,
        "mouthFrown*": 0.2,
    },
    {  # AU 26: jaw dropped
        "browInnerUp": 1.0,
        "browOuterUp*": 0.7,
        "eyeWide*": 0.9,
        "mouthStretch*": 0.5,
        "mouthLowerDown*": 0.45,
        "jawOpen": 0.5,
    },
)
_HAPPINESS = (
    {  # AU 6+12: lips closed
        "mouthSmile*": 0.62,
        "cheekSquint*": 0.55,
        "eyeSquint*": 0.3,
        "mouthDimple*": 0.15,
    },
    {  # AU 6+12+25: teeth shown
        "mouthSmile*": 0.78,
        "cheekSquint*": 0.8,
        "eyeSquint*": 0.45,
        "mouthUpperUp*": 0.4,
        "mouthLowerDown*": 0.3,
        "jawOpen": 0.1,
    },
    {  # AU 6+12+26: laughing
        "mouthSmile*": 0.8,
        "cheekSquint*": 0.9,
        "eyeSquint*": 0.5,
        "mouthUpperUp*": 0.35,
        "mouthLowerDown*": 0.35,
        "jawOpen": 0.4,
    },
)
_SADNESS = (
    {  # AU 1+4+15
        "browInnerUp": 0.9,
        "browDown*": 0.3,
        "mouthFrown*": 0.85,
        "mouthShrugLower": 0.4,
        "eyeSquint*": 0.2,
        "eyeBlink*": 0.12,
    },
    {  # AU 17: chin trembling
        "browInnerUp": 1.0,
        "browDown*": 0.45,
        "mouthFrown*": 0.6,
        "mouthShrugLower": 0.85,
        "mouthPress*": 0.2,
        "eyeSquint*": 0.35,
    },
    {  # about to cry
        "browInnerUp": 0.8,
        "browDown*": 0.5,
        "mouthFrown*": 0.7,
        "mouthStretch*": 0.35,
        "eyeSquint*": 0.5,
        "cheekSquint*": 0.35,
        "jawOpen": 0.07,
    },
)
_SURPRISE = (
    {  # AU 1+2+5+26
        "browInnerUp": 0.9,
        "browOuterUp*": 1.0,
        "eyeWide*": 0.75,
        "jawOpen": 0.55,
    },
    {  # AU 27: mouth wide open
        "browInnerUp": 0.8,
        "browOuterUp*": 0.85,
        "eyeWide*": 0.6,
        "jawOpen": 0.8,
        "mouthFunnel": 0.15,
    },
    {  # astonished
        "browInnerUp": 1.0,
        "browOuterUp*": 1.0,
        "eyeWide*": 1.0,
        "jawOpen": 0.22,
        "mouthPucker": 0.15,
    },
)

EMOTIONS: dict[str, tuple[dict[str, float], ...]] = {
    name: tuple(both_sides(style) for style in styles)
    for name, styles in {
        "neutral": ({},),
        "anger": _ANGER,
        "disgust": _DISGUST,
        "fear": _FEAR,
        "happiness": _HAPPINESS,
        "sadness": _SADNESS,
        "surprise": _SURPRISE,
    }.items()
}

# Silence and the twelve visual classes: the sounds of each, and what the mouth does.
VISEME_SOUNDS: dict[str, tuple[str, ...]] = {
    "silence": (),
    "V1": ("ao", "ah", "aa", "er", "oy", "aw", "hh"),
    "V2": ("uw", "uh", "ow"),
    "V3": ("ae", "eh", "ey", "ay"),
    "V4": ("ih", "iy", "ax"),
    "A": ("l", "el", "r", "y"),
    "B": ("s", "z"),
    "C": ("t", "d", "n", "en"),
    "D": ("sh", "zh", "ch", "jh"),
    "E": ("p", "b", "m"),
    "F": ("th", "dh"),
    "G": ("f", "v"),
    "H": ("ng", "k", "g", "w"),
}
VOWELS = ("V1", "V2", "V3", "V4")
CONSONANTS = tuple(name for name in VISEME_SOUNDS if name not in (*VOWELS, "silence"))
VISEMES: dict[str, dict[str, float]] = {
    name: both_sides(recipe)
    for name, recipe in {
        "silence": {},
        "V1": {"jawOpen": 0.42, "mouthFunnel": 0.12},
        "V2": {"jawOpen": 0.14, "mouthFunnel": 0.55, "mouthPucker": 0.5},
        "V3": {
            "jawOpen": 0.3,
            "mouthStretch*": 0.3,
            "mouthLowerDown*": 0.25,
            "mouthUpperUp*": 0.15,
        },
        "V4": {
            "jawOpen": 0.12,
            "mouthStretch*": 0.45,
            "mouthSmile*": 0.15,
            "mouthLowerDown*": 0.2,
        },
        "A": {"jawOpen": 0.18, "mouthFunnel": 0.2, "mouthLowerDown*": 0.1},
        "B": {
            "jawOpen": 0.04,
            "mouthStretch*": 0.25,
            "mouthLowerDown*": 0.35,
            "mouthUpperUp*": 0.2,
            "jawForward": 0.15,
        },
        "C": {"jawOpen": 0.1, "mouthLowerDown*": 0.2, "mouthUpperUp*": 0.12},
        "D": {
            "jawOpen": 0.08,
            "mouthFunnel": 0.75,
            "mouthUpperUp*": 0.15,
            "mouthLowerDown*": 0.15,
        },
        "E": {"mouthPress*": 0.45, "mouthRollLower": 0.45, "mouthRollUpper": 0.35},
        "F": {
            "jawOpen": 0.12,
            "mouthLowerDown*": 0.15,
            "mouthUpperUp*": 0.1,
            "mouthShrugUpper": 0.1,
        },
        "G": {"jawOpen": 0.06, "mouthRollLower": 0.8, "mouthUpperUp*": 0.3},
        "H": {"jawOpen": 0.2, "mouthPucker": 0.25, "mouthFunnel": 0.15},
    }.items()
}

# Muscles that are strong or weak together in one person, by the beginnings of the actions' names.
MUSCLE_GROUPS: dict[str, tuple[str, ...]] = {
    "brow": ("brow",),
    "eye": ("eye",),
    "cheek": ("cheek", "nose"),
    "smile": ("mouthSmile", "mouthDimple"),
    "lip": ("mouthUpperUp", "mouthLowerDown", "mouthStretch", "mouthFrown"),
    "press": ("mouthPress", "mouthRoll", "mouthShrug"),
    "round": ("mouthFunnel", "mouthPucker"),
    "jaw": ("jaw",),
}
# A resting face is never exactly at rest: typical weights.
IDLE: dict[str, float] = {
    "eyeBlink*": 0.1,
    "jawOpen": 0.015,
    "mouthPress*": 0.08,
    "mouthSmile*": 0.04,
    "browInnerUp": 0.05,
    "mouthShrugLower": 0.06,
}
