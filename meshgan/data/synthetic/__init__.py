"""The default faces: registered, labelled 3D faces of random adults, made offline, truth known."""

from meshgan.data.synthetic.people import PeopleSettings
from meshgan.data.synthetic.plan import FRESH_PEOPLE, Plan, plan_dataset
from meshgan.data.synthetic.rig import Terms
from meshgan.data.synthetic.source import FaceSource, open_source

__all__ = [
    "FRESH_PEOPLE",
    "FaceSource",
    "PeopleSettings",
    "Plan",
    "Terms",
    "open_source",
    "plan_dataset",
]
