"""What a batch costs and survives: kills at random moments, throughput, Ray's overhead, memory of a worker.

    python benchmarks/bench_batch.py kills        200 pictures, 10 of them broken, killed 20 times on the way
    python benchmarks/bench_batch.py throughput   one worker against two
    python benchmarks/bench_batch.py ray          Ray against processes: bytes, and seconds a picture
    python benchmarks/bench_batch.py memory       a worker after 20 and after 200 pictures
    python benchmarks/bench_batch.py cost         CPU-seconds a picture by quality

Pictures are generated, and rendered from the layered originals in ../shared/data/emoji where there are any. Prints
tables; asserts nothing but that bytes are the same.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image, ImageDraw, ImageFilter

EMOJI = Path(__file__).parents[2] / "shared" / "data" / "emoji"
COUNT, BROKEN, KILLS = 200, 10, 20
HIDDEN = ".layervec"
COMMAND = [sys.executable, "-c", "import sys; from layervec.cli import main; sys.exit(main())", "batch"]


# Pictures


def generated(seed: int, size: int) -> Image.Image:
    """Return a picture of shapes on a soft ground, some with texture."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    ground = [
        chance.uniform(0, 255) + chance.uniform(-90, 90) * rows + chance.uniform(-90, 90) * columns for _ in "rgb"
    ]
    image = Image.fromarray(np.clip(np.dstack(ground), 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(int(chance.integers(3, 14))):
        x, y, w, h = chance.uniform(0, 0.7, 2).tolist() + chance.uniform(0.1, 0.5, 2).tolist()
        box = [x * size, y * size, (x + w) * size, (y + h) * size]
        colour = tuple(chance.integers(0, 255, 3).tolist())
        (pen.ellipse if chance.random() < 0.5 else pen.rectangle)(box, fill=colour)
    if seed % 3 == 0:
        noise = chance.normal(0, 12, (size, size, 3))
        image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(0.7))


def emoji(path: Path, size: int) -> bytes:
    """Return a layered original as a PNG."""
    return bytes(resvg_py.svg_to_bytes(svg_path=str(path), width=size, height=size))


def break_ten(folder: Path) -> None:
    """Write ten files that are no pictures, each in its own way."""
    whole = folder.parent / "whole.png"
    generated(1, 96).save(whole)
    png = whole.read_bytes()
    generated(1, 96).save(whole.with_suffix(".jpg"))
    jpeg = whole.with_suffix(".jpg").read_bytes()
    (folder / "bad-cut.png").write_bytes(png[: len(png) // 2])
    (folder / "bad-cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "bad-damaged.png").write_bytes(png[:60] + bytes(20) + png[80:])
    (folder / "bad-empty.png").write_bytes(b"")
    (folder / "bad-text.jpg").write_text("not a picture")
    (folder / "bad-signature-alone.png").write_bytes(png[:8])
    (folder / "bad-nowhere.png").symlink_to(folder / "no such file")
    huge = (100_000).to_bytes(4, "big") * 2
    (folder / "bad-huge.png").write_bytes(_with_size(png, huge))
    (folder / "bad-no-pixels.png").write_bytes(_with_size(png, bytes(8)))
    (folder / "bad-archive.webp").write_bytes(b"PK\x03\x04" + bytes(200))


def _with_size(png: bytes, size: bytes) -> bytes:
    import zlib

    head = b"IHDR" + size + png[24:29]
    return png[:12] + head + zlib.crc32(head).to_bytes(4, "big") + png[33:]


def fill(folder: Path, count: int, sizes: tuple[int, ...], broken: bool) -> None:
    """Write pictures into folders inside a folder: a third of them emoji, where there are any."""
    originals = sorted(EMOJI.glob("*.svg"))
    (folder / "emoji").mkdir(parents=True)
    good = count - BROKEN if broken else count
    for number in range(good):
        size = sizes[number % len(sizes)]
        if originals and number % 3 == 0:
            original = originals[number // 3 % len(originals)]
            (folder / "emoji" / f"{number:03}-{original.stem}.png").write_bytes(emoji(original, size))
        else:
            generated(number, size).save(folder / f"{number:03}.{'jpg' if number % 5 == 1 else 'png'}", quality=90)
    if broken:
        break_ten(folder)


# Running

DRAFT = ("--quality", "draft", "--paths", "64")


def start(folder: Path, out: Path, *words: str) -> subprocess.Popen[str]:
    """Start a batch."""
    command = [*COMMAND, str(folder), "-o", str(out), "--quiet", *words]
    return subprocess.Popen(command, text=True, stderr=subprocess.PIPE)


def run(folder: Path, out: Path, *words: str) -> tuple[int, float, float]:
    """Return exit code, wall seconds and CPU-seconds of a batch with all its processes."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = start(folder, out, *words)
    process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return process.returncode, time.perf_counter() - begun, cpu


def drawings(out: Path) -> dict[str, bytes]:
    """Return what rows have left, by name."""
    paths = [path for path in out.rglob("*") if path.is_file() and HIDDEN not in path.relative_to(out).parts]
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in paths
        if path.name not in ("manifest.csv", "index.html")
    }


def identities(out: Path) -> dict[str, tuple[int, int]]:
    """Return what shows that a file was not written again."""
    return {name: ((out / name).stat().st_ino, (out / name).stat().st_mtime_ns) for name in drawings(out)}


def manifest(out: Path) -> list[dict[str, str]]:
    """Return the rows of a manifest."""
    with open(out / "manifest.csv", newline="") as file:
        return list(csv.DictReader(file))


# What is measured


def kills(place: Path) -> None:
    """Kill a batch again and again; compare what comes out with an undisturbed run."""
    folder, whole, out = place / "in", place / "whole-out", place / "out"
    fill(folder, COUNT, (64, 96, 128), broken=True)
    words = ("--png", "--quality", "draft", "--paths", "24", "--workers", "2")
    code, seconds, _ = run(folder, whole, *words)
    rows = manifest(whole)
    reasons = [row["reason"] for row in rows if row["status"] == "failed"]
    print(f"undisturbed: {sum(row['status'] == 'done' for row in rows)} drawn, {len(reasons)} failed, exit {code}")
    for reason in reasons:
        print("   ", reason.replace(str(folder) + "/", ""))
    chance, seen, twice, torn, shares = random.Random(7), {}, 0, 0, []
    for _ in range(KILLS):
        process = start(folder, out, *words)
        time.sleep(chance.uniform(0.2, 0.25 * seconds))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        time.sleep(0.3)  # workers notice
        now = identities(out) if out.exists() else {}
        twice += sum(now[name] != at for name, at in seen.items())
        torn += sum(drawings(whole)[name] != content for name, content in drawings(out).items()) if now else 0
        seen = now
        shares.append(len(now))
    code, _, _ = run(folder, out, *words)
    now = identities(out)
    twice += sum(now[name] != at for name, at in seen.items())
    lines = (out / HIDDEN / "journal.jsonl").read_bytes().splitlines()[1:]
    done = [record["output"] for record in map(json.loads, lines) if record["status"] == "done"]
    print(f"killed {KILLS} times, files then there: {shares}")
    print(f"at the end: exit {code}, same bytes: {drawings(out) == drawings(whole)}")
    print(f"written twice: {twice}, half-written: {torn}, rows in the journal twice: {len(done) - len(set(done))}")
    plain = [[{k: v for k, v in row.items() if k != "seconds"} for row in manifest(o)] for o in (out, whole)]
    print(f"same manifest but for seconds: {plain[0] == plain[1]}")


def throughput(place: Path) -> None:
    """Time one worker and two, each time when the machine has nothing else to do."""
    folder = place / "in"
    fill(folder, 60, (384,), broken=False)
    for repeat in range(3):
        times = {}
        for workers in (1, 2):
            out = place / f"out-{repeat}-{workers}"
            quiet = wait_for_quiet()
            code, seconds, cpu = run(folder, out, *DRAFT, "--workers", str(workers), "--threads", "1")
            times[workers] = seconds
            print(
                f"{workers} workers{'' if quiet else ' (machine busy)'}: {seconds:.1f} s, {cpu:.1f} CPU-s,"
                f" {cpu / seconds:.2f} cores had, exit {code}",
                flush=True,
            )
        print(f"throughput x {times[1] / times[2]:.2f}", flush=True)


def wait_for_quiet(longest: float = 300.0) -> bool:
    """Wait until nothing else runs here; tell whether that came to pass. Linux alone."""
    end = time.monotonic() + longest
    while time.monotonic() < end:
        before = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        time.sleep(2.0)
        after = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        spent = [late - early for early, late in zip(before, after, strict=True)]
        if spent[3] + spent[4] >= 0.97 * sum(spent):  # idle, and waiting for disks
            return True
    return False


def ray(place: Path) -> None:
    """Time both engines with few and with many small pictures: what Ray adds does not depend on their size."""
    fill(place / "in-20", 20, (64,), broken=False)
    fill(place / "in-120", 120, (64,), broken=False)
    words = (*DRAFT, "--workers", "1", "--threads", "1")
    results = {}
    for count in (20, 120):  # what both have in common, starting, drops out of the difference
        for engine in ("local", "ray"):
            out = place / f"out-{engine}-{count}"
            wait_for_quiet(60.0)
            _, seconds, cpu = run(place / f"in-{count}", out, *words, "--engine", engine)
            busy = sum(float(row["seconds"]) for row in manifest(out))
            results[engine, count] = seconds - busy, cpu
            print(
                f"{engine}, {count} pictures: {seconds:.1f} s, of which rows {busy:.1f} s, {cpu:.1f} CPU-s", flush=True
            )
        assert drawings(place / f"out-ray-{count}") == drawings(place / f"out-local-{count}")
    print("same bytes: True")
    for engine in ("local", "ray"):
        beside = (results[engine, 120][0] - results[engine, 20][0]) / 100
        print(
            f"{engine}: {1000 * beside:.0f} ms a picture beside the work itself,"
            f" {results[engine, 20][0] - 20 * beside:.1f} s to start and end"
        )


def memory(place: Path) -> None:
    """Print a worker's memory as pictures go by."""
    from layervec.batch import place as places
    from layervec.batch.seat import Limits, Seat
    from layervec.batch.work import Task
    from layervec.batch.worker import Setup

    folder = place / "in"
    fill(folder, COUNT, (96, 128, 192, 256), broken=False)
    spot = places.spot(str(place / "out"))
    output = spot.place()
    output.open()
    output.start([])
    seat = Seat(Setup(spot, 1), Limits())
    pictures = sorted(path for path in folder.rglob("*") if path.is_file())
    random.Random(3).shuffle(pictures)
    settings = {"quality": "draft", "paths": 64, "gradients": "auto"}
    held = {}
    for number, path in enumerate(pictures, start=1):
        seat.run(Task(number, str(path), str(number), settings, (".svg", ".png")))
        if number % 20 == 0:
            held[number] = seat.mebibytes()
            print(f"after {number}: {held[number]:.1f} MiB", flush=True)
    print(f"200 against 20: {100 * (held[200] / held[20] - 1):+.1f} %")
    seat.close()
    output.close()


def cost(place: Path) -> None:
    """Print what a picture costs: drawn ones, and photos that come with scikit-image."""
    from skimage import data

    fill(place / "drawn", 6, (512,), broken=False)
    (place / "photos").mkdir()
    for name in ("astronaut", "chelsea", "coffee"):
        Image.fromarray(getattr(data, name)()).save(place / "photos" / f"{name}.png")
    for kind in ("drawn", "photos"):
        for quality in ("draft", "standard", "best"):
            out = place / f"out-{kind}-{quality}"
            words = ("--quality", quality, "--workers", "1", "--threads", "1")
            _, _, cpu = run(place / kind, out, *words)
            _, _, starting = run(place / kind, out, *words)  # nothing is left to do
            each = (cpu - starting) / len(manifest(out))
            size = statistics.median(int(row["size"]) for row in manifest(out)) / 1024
            print(f"{kind}, {quality}: {each:.2f} CPU-s a picture, {size:.0f} KiB", flush=True)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kills", "throughput", "ray", "memory", "cost"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-batch-") as folder:
        globals()[asked.what](Path(folder))


if __name__ == "__main__":
    main()
