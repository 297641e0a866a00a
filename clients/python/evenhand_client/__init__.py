"""A small typed client for Evenhand's API."""

from evenhand_client.client import Evenhand
from evenhand_client.errors import EvenhandError, NotFinished, UnsafeName
from evenhand_client.shapes import Arm, BlindPair, Import, Judgment, Prompt, Run, Snapshot, Study
from evenhand_client.signing import BadSignature, read_delivery

__all__ = [
    "Arm",
    "BadSignature",
    "BlindPair",
    "Evenhand",
    "EvenhandError",
    "Import",
    "Judgment",
    "NotFinished",
    "Prompt",
    "Run",
    "Snapshot",
    "Study",
    "UnsafeName",
    "read_delivery",
]
