"""Run the fuzz tests under atheris, which looks for input that reaches new code, for as long as one likes.

    uv run --group dev --with atheris python tests/fuzz/drive.py --seconds 1800
    uv run --group dev --with atheris python tests/fuzz/drive.py pictures --replay found/pictures-0

Each target has its share of the time, in a process of its own. What fails is kept in the folder `found`, the first
input of each kind, and the run goes on; a crash or a hang ends its target. Exit code 1 if anything was found. Input
that found a bug becomes a test of its own, as Hypothesis reads these bytes only as long as the test stays the same.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import random
import subprocess
import sys
import time
import traceback
import warnings
from pathlib import Path

HERE = Path(__file__).parent
TARGETS = ("pictures", "svg", "settings", "kernels", "whole")
HANG = 60  # s; the largest picture that is read takes 3 s
START = 64  # inputs to begin with
LONGEST = 8192  # bytes of input
MOST_MEMORY = 6000  # MB; a picture of as many pixels as are read has 700, and is copied


def tests(target: str) -> list:
    """Return the tests of a target, each as the function that takes bytes."""
    module = importlib.import_module(f"test_fuzz_{target}")
    found = [value for name, value in vars(module).items() if name.startswith("test_")]
    return [(test.__name__, test.hypothesis.fuzz_one_input) for test in found]


def place(error: BaseException) -> tuple[str, str]:
    """Return what tells one bug from another: its kind and the last line of this project that it went through."""
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    return type(error).__name__, f"{lines[-1].filename}:{lines[-1].lineno}" if lines else ""


def drive(target: str, seconds: int, folder: Path) -> int:
    """Fuzz one target, and return how many kinds of failure there were."""
    import atheris

    with atheris.instrument_imports(include=["layervec"]):
        chosen = tests(target)
    seen: dict[tuple[str, str], int] = {}
    turns = itertools.cycle(range(len(chosen)))
    runs = 0  # that were no rubbish to Hypothesis
    end = time.monotonic() + seconds

    def one(data: bytes) -> None:
        nonlocal runs
        if time.monotonic() > end:
            print(f"{target}: {runs} runs, {len(seen)} kinds of failure", flush=True)
            os._exit(1 if seen else 0)
        number = next(turns)
        try:
            runs += chosen[number][1](data) is not None
        except Exception as error:
            key = place(error)
            if key not in seen:
                kept = folder / f"{target}-{len(seen)}"
                kept.write_bytes(bytes([number]) + data)
                print(f"== {kept}: {chosen[number][0]}: {key[0]} at {key[1]}", flush=True)
                traceback.print_exc()
            seen[key] = seen.get(key, 0) + 1

    corpus = folder / f"corpus-{target}"
    corpus.mkdir(exist_ok=True)
    noise = random.Random(0)
    for number in range(START):  # without a start that is long enough, every input is rubbish
        (corpus / f"start-{number}").write_bytes(noise.randbytes(LONGEST >> number % 4))
    limits = [
        f"-timeout={HANG}",
        f"-rss_limit_mb={MOST_MEMORY}",
        f"-max_len={LONGEST}",
        "-len_control=0",
        f"-artifact_prefix={folder}/{target}-",
    ]
    atheris.Setup([sys.argv[0], *limits, "-print_final_stats=0", "-verbosity=0", str(corpus)], one)
    atheris.Fuzz()
    return len(seen)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=1800, help="for all targets together")
    parser.add_argument("--folder", type=Path, default=Path("found"), help="where failing input is kept")
    parser.add_argument("--replay", type=Path, help="run one target on this kept input alone")
    asked = parser.parse_args()
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    warnings.simplefilter("error")
    if asked.replay:
        number, *data = asked.replay.read_bytes()
        tests(asked.targets[0])[number][1](bytes(data))
        return 0
    asked.folder.mkdir(exist_ok=True)
    targets = asked.targets or list(TARGETS)
    if len(targets) == 1:
        return drive(targets[0], asked.seconds, asked.folder)
    share = str(asked.seconds // len(targets))
    command = [sys.executable, __file__, "--seconds", share, "--folder", str(asked.folder)]
    return max([subprocess.run([*command, target]).returncode != 0 for target in targets])


if __name__ == "__main__":
    sys.exit(main())
