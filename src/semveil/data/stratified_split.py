"""Random splits into parts of given sizes: stratified by class, in whole groups."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
_PEOPLE = 20  # per stratum, so that every part gets some of them


def random_of(seed: int, purpose: str) -> np.random.Generator:
    """Return a generator that depends on a seed and a purpose alone."""
    digest = hashlib.sha256(repr((seed, "data", purpose)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))


def copies(x: NDArray[np.uint8]) -> Indices:
    """Number the distinct images: identical images get the same number."""
    numbers: dict[bytes, int] = {}
    # A digest as the key: a second copy of the set may not fit into memory.
    digests = (hashlib.sha256(image.tobytes()).digest() for image in x)
    return np.array([numbers.setdefault(d, len(numbers)) for d in digests], dtype=np.int64)


def joined(first: Indices, second: Indices) -> Indices:
    """Return the finest grouping that is coarser than two groupings."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, a = np.unique(first, return_inverse=True)
    _, b = np.unique(second, return_inverse=True)
    n = len(first)
    edges = coo_array((np.ones(n), (a, a.max(initial=-1) + 1 + b)), shape=(2 * n, 2 * n))
    return connected_components(edges, directed=False)[1][a].astype(np.int64)


def _apportion(counts: Indices, total: int) -> Indices:
    """Divide ``total`` in proportion to ``counts``, by largest remainders, at most ``counts``."""
    exact = counts * (total / max(counts.sum(), 1))
    shares = np.minimum(np.floor(exact).astype(np.int64), counts)
    order = np.argsort(shares - exact, kind="stable")
    order = order[shares[order] < counts[order]]
    shares[order[: total - shares.sum()]] += 1
    return shares


def stratified_split(
    y: Indices, groups: Indices, sizes: tuple[int, ...], random: np.random.Generator
) -> list[Indices]:
    """Split images into parts of the given sizes, stratified by class, in whole groups.

    A part that would end within a group of copies ends before it; images beyond the sum of the
    sizes are in no part.
    """
    # Copies may have different labels: a group has the class of its first image.
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    stratum = y[first][group]
    known, counts = np.unique(stratum, return_counts=True)
    left = _apportion(counts, sum(sizes))
    # The last part takes the rest, so that the sizes add up in every class.
    shares = []
    for size in sizes[:-1]:
        shares.append(_apportion(left, size))
        left = left - shares[-1]
    ends = np.cumsum([*shares, left], axis=0)

    parts = [[np.empty(0, dtype=np.int64)] for _ in sizes]
    rank = random.permutation(len(first))[group]
    for number, label in enumerate(known):
        members = np.flatnonzero(stratum == label)
        members = members[np.argsort(rank[members], kind="stable")]
        whole = np.flatnonzero(np.diff(rank[members], prepend=-1, append=-1))
        start = 0
        for part, end in enumerate(ends[:, number]):
            stop = int(whole[np.searchsorted(whole, end, side="right") - 1])
            parts[part].append(members[start:stop])
            start = stop
    return [random.permutation(np.concatenate(part)) for part in parts]


def split_people(
    y: Indices, people: Indices, sizes: tuple[int, ...], random: np.random.Generator
) -> list[Indices]:
    """Split images so that no person is in two parts.

    The people are split in proportion to the sizes, in strata of about twenty with similar mean
    class, so that an attribute which few people have is in every part. If the sizes sum to fewer
    images than there are, every part is then reduced to its size, class by class: few images of
    many people instead of many of few. Otherwise a part has all images of its people.
    """
    _, person, counts = np.unique(people, return_inverse=True, return_counts=True)
    n = len(counts)
    order = np.argsort(np.bincount(person, weights=y) / counts, kind="stable")
    stratum = np.empty(n, dtype=np.int64)
    stratum[order] = np.arange(n) * max(1, n // _PEOPLE) // n
    shares = _apportion(np.array(sizes), n)
    parts = []
    for chosen, size in zip(
        stratified_split(stratum, np.arange(n), tuple(shares), random), sizes, strict=True
    ):
        members = np.flatnonzero(np.isin(person, chosen))
        kept = len(members) if sum(sizes) == len(y) else size
        parts.append(members[stratified_split(y[members], members, (kept,), random)[0]])
    return parts
