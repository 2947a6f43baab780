"""The claims of the survey's section IV.C, judged by records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from semveil.studies.words import Figure, pick

HOME_DB = 12.0
PAPER_ATTACKER = "inversion/deconv+perceptual"
_LEAK = "mi_bits_20"


@dataclass(frozen=True)
class System:
    """The records of one system at one latent dimension.

    Attributes:
        scheme: Its name in the records.
        dimension: Reals per image.
        table: Its rows.
    """

    scheme: str
    dimension: int
    table: pd.DataFrame

    @property
    def title(self) -> str:
        """Its name in tables."""
        return f"`{self.scheme}`"

    @property
    def asymmetry(self) -> str | None:
        """What protects it."""
        names = self.table["asymmetry"].dropna().unique()
        return str(names[0]) if len(names) else None

    def bob(self, snr_db: float = HOME_DB) -> Figure | None:
        """Return Bob's accuracy."""
        return pick(self.table, role="bob", metric="accuracy", test_snr_db=snr_db)

    def leakage(self, protocol: str, snr_db: float = HOME_DB) -> Figure | None:
        """Return the MI of the survey's attacker (``paper``) or of the strongest Eve."""
        wanted = {"role": "eve", "metric": _LEAK, "test_snr_db": snr_db}
        if protocol == "paper":
            return pick(self.table, **wanted, protocol="adaptive", adversary=PAPER_ATTACKER)
        return pick(self.table, **wanted, protocol="adaptive")

    def quality(self, snr_db: float = HOME_DB) -> Figure | None:
        """Return the PSNR of the strongest Eve, dB."""
        return pick(
            self.table, role="eve", metric="psnr_db", protocol="adaptive", test_snr_db=snr_db
        )

    def eve_label(self, snr_db: float = HOME_DB) -> Figure | None:
        """Return the accuracy of the strongest Eve who guesses the label."""
        return pick(
            self.table, role="eve", metric="accuracy", protocol="adaptive", test_snr_db=snr_db
        )


def systems(table: pd.DataFrame) -> dict[str, System]:
    """Return the systems of a frame of records by name and dimension, in its order."""
    found: dict[str, System] = {}
    for scheme, d in table[["scheme", "latent_dim"]].drop_duplicates().itertuples(index=False):
        rows = table[(table["scheme"] == scheme) & (table["latent_dim"] == d)]
        found[f"{scheme}@{int(d)}"] = System(str(scheme), int(d), rows)
    return found


def claims(found: Mapping[str, System]) -> Iterator[str]:
    """Yield each claim with its verdict, its numbers, and the protocol they were found under."""
    yield _accuracy(found)
    for protocol in ("paper", "adaptive"):
        yield _less_leakage(found, protocol)
    yield _vfe(found)
    yield _low_snr(found)
    yield _dp_and_codebook(found)
    for protocol in ("paper", "adaptive"):
        yield _encryption(found, protocol)
    yield _encryption_costs(found)
    yield _rotation(found)


def _some(found: Mapping[str, System], *starts: str) -> list[System]:
    return [
        system
        for system in found.values()
        if any(system.scheme == start or system.scheme.startswith(f"{start} (") for start in starts)
        and "genuine" not in system.scheme
        and "(plain)" not in system.scheme
    ]


def _compare(
    left: list[System],
    right: list[System],
    number: Callable[[System], Figure | None],
    *,
    less: bool = False,
) -> tuple[int, int, int]:
    """Count the pairs in which left is beyond right for sure, the other way round, and in all."""
    ahead = behind = pairs = 0
    for one in left:
        for other in right:
            a, b = number(one), number(other)
            if a is None or b is None:
                continue
            pairs += 1
            if less:
                a, b = b, a
            ahead += a.low > b.high
            behind += a.high < b.low
    return ahead, behind, pairs


def verdict(ahead: int, behind: int, pairs: int) -> str:
    """Return a verdict over pairs of systems.

    Example:
        >>> verdict(3, 0, 3), verdict(0, 3, 3), verdict(2, 1, 3), verdict(0, 0, 0)
        ('Confirmed', 'Not confirmed', 'Not confirmed as a rule', 'Not measured')
    """
    if not pairs:
        return "Not measured"
    if ahead == pairs:
        return "Confirmed"
    return "Not confirmed" if not ahead else "Not confirmed as a rule"


def _told(claim: str, counts: tuple[int, int, int], protocol: str = "") -> str:
    ahead, behind, pairs = counts
    under = f" ({protocol} protocol)" if protocol else ""
    return (
        f"**{claim}**{under} {verdict(*counts)}: of {pairs} pairs of systems the intervals agree "
        f"with it in {ahead}, contradict it in {behind}, and overlap in {pairs - ahead - behind}."
    )


def _accuracy(found: Mapping[str, System]) -> str:
    left = _some(found, "vfe", "ibal", "lbvq", "uis")
    right = _some(found, "dp", "shuffle", "cipher")
    counts = [
        _compare(left, right, lambda system, at=snr_db: system.bob(at))  # type: ignore[misc]
        for snr_db in (8.0, HOME_DB, 16.0, 20.0)
    ]
    total = (sum(c[0] for c in counts), sum(c[1] for c in counts), sum(c[2] for c in counts))
    return _told(
        "The bottleneck and codebook groups are more accurate than noise and encryption at 8 dB "
        "and above.",
        total,
    )


def _less_leakage(found: Mapping[str, System], protocol: str) -> str:
    left, right = _some(found, "ibal", "lbvq", "uis"), _some(found, "dp")
    return _told(
        "IBAL and the codebook group leak less than DP.",
        _compare(left, right, lambda system: system.leakage(protocol), less=True),
        protocol,
    )


def _vfe(found: Mapping[str, System]) -> str:
    counts = _compare(
        _some(found, "ibal"),
        _some(found, "vfe"),
        lambda system: system.leakage("adaptive"),
        less=True,
    )
    return _told("VFE is accurate but leaks more than IBAL.", counts, "adaptive")


def _low_snr(found: Mapping[str, System]) -> str:
    def lost(system: System) -> Figure | None:
        low, high = system.bob(4.0), system.bob(20.0)
        if low is None or high is None:
            return None
        return Figure(high.value - low.value, high.low - low.high, high.high - low.low)

    counts = _compare(_some(found, "lbvq", "uis"), _some(found, "dp", "shuffle", "cipher"), lost)
    return _told(
        "Towards 4 dB the codebook group loses more accuracy than noise and encryption.", counts
    )


def _dp_and_codebook(found: Mapping[str, System]) -> str:
    dp = [s for s in _some(found, "dp") if "0.05" in s.scheme]
    book = _some(found, "lbvq")
    if not dp or not book:
        return "**DP at ε = 0.05 leaks like LBVQ and is 3–4 points less accurate.** Not measured."
    parts = []
    for system in book:
        ours, theirs = dp[0].bob(), system.bob()
        leaks, leak = dp[0].leakage("paper"), system.leakage("paper")
        if ours and theirs and leaks and leak:
            parts.append(
                f"against LBVQ at d = {system.dimension}, DP has {ours.percent()} to "
                f"{theirs.percent()} of accuracy and an MI of {leaks.value:.2f} "
                f"({leaks.low:.2f}–{leaks.high:.2f}) to {leak.value:.2f} "
                f"({leak.low:.2f}–{leak.high:.2f})"
            )
    return (
        "**DP at ε = 0.05 leaks like LBVQ and is 3–4 points less accurate.** (paper protocol) "
        f"At {HOME_DB:g} dB, {'; '.join(parts)}."
    )


def _encryption(found: Mapping[str, System], protocol: str) -> str:
    left = [s for s in _some(found, "shuffle", "cipher") if "fixed" not in s.scheme]
    right = _some(found, "dp", "vfe", "ibal", "lbvq", "uis")
    return _told(
        "Encryption protects best.",
        _compare(left, right, lambda system: system.leakage(protocol), less=True),
        protocol,
    )


def _encryption_costs(found: Mapping[str, System]) -> str:
    plain = [s for s in _some(found, "deepjscc") if s.dimension == 128] or _some(found, "deepjscc")
    parts = []
    for system in _some(found, "shuffle", "cipher", "rotation"):
        ours, theirs = system.bob(), plain[0].bob() if plain else None
        if ours and theirs and system.dimension == plain[0].dimension:
            parts.append(f"{system.title} {100 * (ours.value - theirs.value):+.1f}")
    return (
        "**Encryption costs task performance.** Points of Bob's accuracy against the unprotected "
        f"link at {HOME_DB:g} dB: {', '.join(parts)}. A permutation and a rotation commute with "
        "the noise; what a key costs is learned encryption, and the degree of freedom that "
        "rotating by blocks takes."
    )


def _rotation(found: Mapping[str, System]) -> str:
    parts = []
    for system in _some(found, "rotation", "ibal+rotation"):
        label, leak = system.eve_label(), system.leakage("adaptive")
        if label and leak:
            parts.append(
                f"{system.title} label {label.percent()}, MI {leak.value:.2f} "
                f"({leak.low:.2f}–{leak.high:.2f})"
            )
    return (
        "**Keyed rotation (ours) leaves Eve nothing.** The strongest of all attackers: "
        f"{'; '.join(parts)}. Eve's guess is the best of several on one test set, which lifts it "
        "a little above the majority rate by chance alone."
    )
