"""One vocabulary for the expressions of all sources: the seven, else none."""

EXPRESSIONS = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")

_BY_SOURCE: dict[str, dict[str, str]] = {
    "bu3dfe": {
        "NE": "neutral",
        "AN": "anger",
        "DI": "disgust",
        "FE": "fear",
        "HA": "happiness",
        "SA": "sadness",
        "SU": "surprise",
    },
    "bosphorus": {
        "N_N": "neutral",
        "E_ANGER": "anger",
        "E_DISGUST": "disgust",
        "E_FEAR": "fear",
        "E_HAPPY": "happiness",
        "E_SADNESS": "sadness",
        "E_SURPRISE": "surprise",
    },
    "bu4dfe": {
        "Neutral": "neutral",  # first and last frame; the source has no such sequence
        "Angry": "anger",
        "Disgust": "disgust",
        "Fear": "fear",
        "Happy": "happiness",
        "Sad": "sadness",
        "Surprise": "surprise",
    },
    "facescape": {
        "neutral": "neutral",
        "anger": "anger",
        "smile": "happiness",  # milder than laughing: its importer asks whether to count it
        "sadness": "sadness",
    },
    "eos": {"mean": "neutral", **{name: name for name in EXPRESSIONS[1:]}},
}


def common_expression(source: str, word: str) -> str | None:
    """One of ``EXPRESSIONS`` for a source's own word, or None if it has no such meaning.

    Args:
        source: word of the format ("bu3dfe", ...); a source without a table of its own counts
            the seven names themselves, in any case.
        word: what the source calls it; FaceScape's with or without its number ("4_anger").
    """
    if source not in _BY_SOURCE:
        return word.lower() if word.lower() in EXPRESSIONS else None
    if source == "facescape":
        word = word.lstrip("0123456789_")
    table = {name.lower(): meaning for name, meaning in _BY_SOURCE[source].items()}
    return table.get(word.lower())
