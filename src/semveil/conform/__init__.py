"""Conformance tests: our definitions, run against channels and transmitters of other people.

The definitions are those of the page Conventions. Each function returns a report of checks, which
a test asserts (``report.require()``) or takes one by one
(``pytest.mark.parametrize("check", report.checks)``).
"""

from semveil.conform.channel_checks import channel
from semveil.conform.load import conform
from semveil.conform.perturbation_checks import perturbation
from semveil.conform.report import Check, Report
from semveil.conform.transmitter_checks import transmitter

__all__ = ["Check", "Report", "channel", "conform", "perturbation", "transmitter"]
