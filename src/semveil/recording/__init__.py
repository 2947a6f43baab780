"""Complex baseband samples in SigMF recordings: a file of samples and a file of metadata."""

from semveil.recording.reader import Recording, open_recording, read_raw
from semveil.recording.samples import DATATYPES, from_bytes, to_bytes
from semveil.recording.writer import Annotation, files_of, write_recording

__all__ = [
    "DATATYPES",
    "Annotation",
    "Recording",
    "files_of",
    "from_bytes",
    "open_recording",
    "read_raw",
    "to_bytes",
    "write_recording",
]
