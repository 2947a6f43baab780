"""Admission flags: what an audit checks of a system before its figures are believed.

A flag is a record of role ``system`` and a metric of its own: 1 if it is raised, else 0. One
that makes figures meaningless is never recorded as raised, because it ends the audit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from semveil.records import Record

Severity = Literal["refused", "warning", "note"]


@dataclass(frozen=True)
class Flag:
    """One check.

    Attributes:
        metric: The metric of its records.
        checks: What is checked, as the page lists it where nothing was found.
        says: What a raised flag means; one sentence.
        severity: ``refused`` ends the audit; ``warning`` and ``note`` go onto the page.
    """

    metric: str
    checks: str
    says: str
    severity: Severity


_ALL = (
    Flag(
        "flag_irreproducible",
        "the same generator seed gives the same waveform",
        "transmit gives another waveform when it is called again with the same generator seed: "
        "draw every random number from `generator`, and put networks into evaluation mode",
        "refused",
    ),
    Flag(
        "flag_batch_dependent",
        "an image’s waveform is the same alone, in another order and in another batch",
        "the waveform of an image depends on the other images of its batch, or on its place in it: "
        "use no batch statistics, and no key or noise that is numbered by the place in the batch",
        "refused",
    ),
    Flag(
        "flag_wrong_power",
        "the power is the declared one",
        "the power of the waveform is not the declared one",
        "refused",
    ),
    Flag(
        "flag_answers",
        "Bob’s answers are finite and of the right form",
        "Bob’s answers are not finite, or not of the right form",
        "refused",
    ),
    Flag(
        "flag_answers_batch_dependent",
        "Bob’s answer to a reception is the same beside other receptions",
        "Bob’s answer depends on the other receptions of its batch: put his networks into "
        "evaluation mode, or his figures hold for batches of this size alone",
        "warning",
    ),
    Flag(
        "flag_lost_without_noise",
        "Bob gets the images where there is no noise",
        "more than a tenth of the images are lost even without noise, as files that do not fit "
        "are: raise link.latent_dim, classical.order or classical.rate",
        "warning",
    ),
    Flag(
        "flag_image_independent",
        "the waveform depends on the image",
        "the waveform is the same for every image: nothing is sent, and an Eve at chance proves no "
        "protection",
        "warning",
    ),
    Flag(
        "flag_uneven_power",
        "every image has the same power",
        "the power differs from image to image (fixed gain): the SNR holds on average only, and "
        "the power itself may tell Eve something of the image",
        "warning",
    ),
    Flag(
        "flag_mean_power_off",
        "the gain that was set on the training images gives the test images unit power",
        "the gain was set on the training images and gives the test images a mean power that is "
        "0.1 to 0.5 dB off: every SNR is off by as much",
        "warning",
    ),
    Flag(
        "flag_one_real",
        "a symbol carries two reals",
        "the imaginary part of every symbol is zero: a real has 3.01 dB more SNR than one of a "
        "pair, and takes twice the channel uses; compare at equal bandwidth ratio",
        "warning",
    ),
    Flag(
        "flag_gradient_masked",
        "attacks with gradients are at least as strong as those without",
        "an attack without gradients beats the attacks with gradients: the gradient of Bob’s "
        "answer misleads, and his accuracy under attack is overstated",
        "warning",
    ),
    Flag(
        "flag_gradient_zero",
        "Bob’s answer has a gradient that is not zero",
        "the gradient of Bob’s answer is zero at every reception: attacks with gradients do "
        "nothing, and his accuracy under attack is overstated",
        "warning",
    ),
    Flag(
        "flag_no_gradient",
        "Bob’s answer has a gradient",
        "Bob’s answer has no gradient: attacks that need one were left out, and his accuracy under "
        "attack may be overstated",
        "warning",
    ),
    Flag(
        "flag_saturated",
        "at some budget the strongest attack leaves more than nothing and less than all",
        "the strongest attack leaves nothing at every budget: add lower budgets before systems are "
        "compared",
        "warning",
    ),
    Flag(
        "flag_not_converged",
        "every Eve was trained until she ceased to improve",
        "an Eve’s epochs ended while her validation loss was still falling, so that more training "
        "may make her stronger: raise audit.rounds or audit.max_epochs",
        "warning",
    ),
    Flag(
        "flag_random",
        "the waveform is treated as a function of the image",
        "the waveform is random: Eve’s images are sent anew in every epoch",
        "note",
    ),
    Flag(
        "flag_constellation",
        "the symbols are not points of a constellation",
        "the symbols are points of a constellation: an Eve who demodulates them softly should be "
        "among the eavesdroppers",
        "note",
    ),
)

FLAGS: dict[str, Flag] = {flag.metric: flag for flag in _ALL}
"""All flags by the metric of their records, in the order in which they are shown."""


@dataclass(frozen=True)
class Admission:
    """What the flags say of one system.

    Attributes:
        system: Its label.
        raised: The flags that were raised, the most severe first.
        passed: The flags that were not.
    """

    system: str
    raised: tuple[Flag, ...]
    passed: tuple[Flag, ...]

    @property
    def checks(self) -> str:
        """What was checked and is as it should be."""
        return (
            "; ".join(flag.checks for flag in self.passed if flag.severity != "note") or "nothing"
        )

    def lines(self) -> list[str]:
        """Return one line per raised flag, or one that says that there is none."""
        if not self.raised:
            return [f"{self.system}: {len(self.passed)} admission checks, no flag raised"]
        return [f"{self.system}: {flag.severity}: {flag.says}" for flag in self.raised]


def admissions(records: Iterable[Record]) -> list[Admission]:
    """Return what records hold of the flags, one entry per system.

    Example:
        >>> flag = Record(scheme="mine", dataset="digits", channel="awgn/perfect", role="system",
        ...     metric="flag_random", value=1.0, n=64, seed=0)
        >>> admissions([flag])[0].lines()
        ['mine: note: the waveform is random: Eve’s images are sent anew in every epoch']
    """
    found: dict[str, dict[str, float]] = {}
    for record in records:
        if record.role == "system" and record.metric in FLAGS:
            values = found.setdefault(record.system.label, {})
            values[record.metric] = max(record.value, values.get(record.metric, 0.0))
    return [
        Admission(
            system,
            tuple(flag for metric, flag in FLAGS.items() if values.get(metric)),
            tuple(flag for metric, flag in FLAGS.items() if values.get(metric) == 0),
        )
        for system, values in found.items()
    ]
