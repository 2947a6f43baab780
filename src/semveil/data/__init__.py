"""Data sets: readers of the usual layouts, seeded splits in memory, verified downloads."""

from semveil.data.base import DATASETS, Dataset
from semveil.data.registry import Status, is_resized, load, load_configured, names, status
from semveil.data.splits import Images, ImageSplits, hold_out, split

__all__ = [
    "DATASETS",
    "Dataset",
    "ImageSplits",
    "Images",
    "Status",
    "hold_out",
    "is_resized",
    "load",
    "load_configured",
    "names",
    "split",
    "status",
]
