"""Signals that end a run: which, how often, and where a library loses them."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from layervec import cli, image, signals

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no such signals")


@pytest.fixture(autouse=True)
def as_at_a_start():
    """Let signals do what they do in a new process: where tests run in parallel, SIGINT is ignored."""
    hows = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, how) for number, how in hows.items()}
    yield
    for number, how in before.items():
        signal.signal(number, how)


def send(number):
    os.kill(os.getpid(), number)
    signal.getsignal(number)  # Python looks after signals between two steps


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_only_the_first_signal_interrupts_so_that_clearing_up_is_whole(number):
    cleared = []

    def work():
        try:
            send(number)
        finally:
            for again in (signal.SIGTERM, signal.SIGHUP, number):
                send(again)
                cleared.append(again)

    with signals.ended_as_interrupted(), pytest.raises(KeyboardInterrupt):
        work()
    assert len(cleared) == 3


def test_what_was_before_comes_back():
    names = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = [signal.getsignal(number) for number in names]
    with signals.ended_as_interrupted():
        assert [signal.getsignal(number) for number in names] != before
    assert [signal.getsignal(number) for number in names] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_where_the_process_ends_no_other_signal_disturbs_it_at_that(number):
    with pytest.raises(KeyboardInterrupt), signals.ended_as_interrupted(for_good=True):
        send(number)
    for again in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        assert signal.getsignal(again) is signal.SIG_IGN


def test_who_calls_the_command_line_can_be_interrupted_again(monkeypatch):
    monkeypatch.setattr("layervec.cli._run", lambda words: send(signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    assert cli.main(["models"]) == 130
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.setattr("sys.argv", ["layervec", "models"])
    assert cli.main() == 130
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_server_is_interrupted_once_also_where_interrupts_were_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals.ended_as_interrupted():
        with pytest.raises(KeyboardInterrupt), signals.ended_even_if_ignored():
            send(signal.SIGINT)
        send(signal.SIGINT)
        send(signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_what_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.ended_as_interrupted():
            send(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_hangup_reaches_a_library_that_acts_on_termination_alone():
    seen = []
    with signals.ended_as_interrupted():
        signal.signal(signal.SIGTERM, lambda *_: seen.append("term"))
        with signals.hangup_as_termination():
            send(signal.SIGHUP)
        assert seen == ["term"]
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGHUP)


@pytest.mark.parametrize("raised", [None, RuntimeError("in a library")])
def test_an_interrupt_that_a_library_loses_still_ends_the_run(raised, tmp_path, monkeypatch, capsys):
    def lost(*_, **__):
        try:
            send(signal.SIGHUP)
        except KeyboardInterrupt:
            if raised:
                raise raised from None

    monkeypatch.setattr("layervec.simplify.Classic.levels", lost)
    (tmp_path / "a.png").write_bytes(image.png_bytes(np.random.default_rng(0).random((64, 64, 3))))
    assert cli.main(["vectorize", str(tmp_path / "a.png")]) == 130
    assert capsys.readouterr().err == "layervec: interrupted.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_nothing_is_said_of_an_interrupt_that_a_library_loses(capfd):
    class Lossy:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def run() -> None:
        with signals.ended_as_interrupted():
            Lossy()
            signals.check()

    with pytest.raises(KeyboardInterrupt):
        run()
    assert capfd.readouterr().err == ""
