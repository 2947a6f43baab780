"""The air: frames of a link's symbols as samples, and back.

``modulate`` makes samples, a ``Receiver`` finds them again, and a ``HardwareChannel`` is what
real radios and the air do to them in between.
"""

from semveil.radio.adapt import like
from semveil.radio.frame import FrameFormat
from semveil.radio.header import Header
from semveil.radio.impairments import HardwareChannel
from semveil.radio.modulate import burst, modulate
from semveil.radio.receiver import ReceivedFrame, Receiver, receive

__all__ = [
    "FrameFormat",
    "HardwareChannel",
    "Header",
    "ReceivedFrame",
    "Receiver",
    "burst",
    "like",
    "modulate",
    "receive",
]
