"""What holds for all tests."""

import signal

import pytest

# A shell's background jobs ignore Ctrl-C, and so would the programs that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the end of a run that tests on real data were left out: green alone would hide it."""
    skipped = terminalreporter.stats.get("skipped", [])
    num = sum("needs real data" in str(report.longrepr) for report in skipped)
    if num:
        terminalreporter.section("not everything was tested", sep="=", yellow=True)
        terminalreporter.line(
            f"{num} tests were left out for want of real data, the recorded responses of the "
            "official scorer among them: set WIDESEEK_DATA (see CONTRIBUTING.md)"
        )
