"""What must hold of any evaluation of attacks: where it does not, the attack is suspect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from semveil.metrics import MAIN, metric_of
from semveil.records import Estimate
from semveil.report.attack_rows import AIMED, EACH, NONE, AttackRow, titled
from semveil.report.table import signed, with_interval

RULES = (
    "PGD is at least as strong as every attack that knows less, for it knows Bob’s receiver and "
    "each image",
    "a larger budget is never weaker",
    "jamming, which knows nothing, is the weakest of what is made for the link",
)


def violations(found: Iterable[AttackRow]) -> list[str]:
    """Check the orderings that hold of any working attacks, beyond the 95 % intervals."""
    return [f"{title}: {words}" for title, group in titled(found) for words in _broken(group)]


def _broken(group: Sequence[AttackRow]) -> Iterator[str]:
    rows = {(row.attack, row.protocol): row for row in group if not row.rows.empty}
    plain = rows.pop((NONE, "none"), None)
    fresh = [row for (_, protocol), row in rows.items() if protocol == "adaptive"]
    reference = next((row for row in fresh if row.has("reference")), None)
    baseline = next((row for row in fresh if row.has("baseline")), None)
    for row in rows.values():
        keyed = (row.table["asymmetry"] == "key").any()
        adaptive = row.protocol == "adaptive"
        # Of several searches by the same knowledge any may be the strongest. Behind a key the
        # reference too attacks a link with a key of its own.
        searched = adaptive and row.has("search")
        if reference and not searched and row is not baseline and not keyed:
            yield from _weaker(reference, row)
        # What was made for another link, or puts all energy in one place, may do less than noise.
        made = row is not baseline and adaptive and not row.has("uneven")
        if baseline and made and not keyed:
            yield from _weaker(row, baseline)
        yield from _falling(row, plain)
        if (row.table["metric"] == "saturated").any():
            yield (
                f"the attack {row.name} reaches its aim with every image at every budget, so that "
                "it ranks no links. Add smaller budgets (attack.psr_db)."
            )


def _weaker(one: AttackRow, other: AttackRow) -> Iterator[str]:
    """Say once, at the budget where it is clearest, that an attack is weaker than another."""
    levels = [psr_db for psr_db in one.budgets if psr_db in other.budgets]
    some = one.has("selective") or other.has("selective")
    pairs = [(p, strength(one, p, some), strength(other, p, some)) for p in levels]
    found = [(p, a, b) for p, a, b in pairs if a and b and a.high < b.low]
    if found:
        psr_db, mine, theirs = max(found, key=lambda item: item[2].low - item[1].high)
        yield (
            f"the attack {one.name} should be suspected. At {signed(psr_db)} dB it "
            f"is weaker than {other.name}: {_told(one, mine)} against {_told(other, theirs)}."
        )


def _falling(row: AttackRow, plain: AttackRow | None) -> Iterator[str]:
    some = row.has("selective")
    steps = [(f"at {signed(p)} dB", strength(row, p, some)) for p in row.budgets]
    if plain is not None and not (row.table["target"] == EACH).any():
        steps.insert(0, ("without it", strength(plain, None, some)))
    for (less, before), (more, after) in combinations(steps, 2):
        if before and after and after.high < before.low:
            yield (
                f"the attack {row.name} should be suspected. It is weaker {more} "
                f"than {less}: {_told(row, after)} against {_told(row, before)}."
            )
            return


def strength(row: AttackRow, psr_db: float | None, selective: bool = False) -> Estimate | None:
    """Return the misleading rate, the rate of mistakes, or minus the PSNR: more is stronger."""
    if row.aim and "to class" in row.aim:
        return row.at(AIMED[2], psr_db)
    right = row.at(AIMED[0] if row.aim and selective else row.hit, psr_db)
    top = 1.0 if row.classifies else 0.0
    return right and Estimate(top - right.value, top - right.high, top - right.low, right.n)


def _told(row: AttackRow, estimate: Estimate) -> str:
    if not row.classifies:
        psnr = Estimate(-estimate.value, -estimate.high, -estimate.low, estimate.n)
        return f"{metric_of(MAIN['image']).title} {with_interval(psnr, metric_of(MAIN['image']))}"
    what = "misled" if row.aim and "to class" in row.aim else "wrong"
    return f"{with_interval(estimate, metric_of(MAIN['label']))} {what}"
