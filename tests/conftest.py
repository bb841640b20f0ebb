"""What holds for all tests."""

from collections.abc import Generator
import os
import signal

import pytest

IN_CI = os.environ.get("CI") == "true"
"""Whatever a test needs has been set up there, so a skipped test is a failure."""

# A script has whatever it starts in the background ignore what Ctrl-C sends, and the programs that are tested would
# inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a skipped test a failure in CI."""
    report = yield
    if report.skipped and IN_CI:
        report.outcome = "failed"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Make a skipped file a failure in CI."""
    report = yield
    if report.skipped and IN_CI:
        report.outcome = "failed"
    return report
