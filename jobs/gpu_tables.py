"""Makes gpu.md from what jobs/gpu.sh has measured so far: python3 jobs/gpu_tables.py RAW FILE. Standard library alone."""

import json
import os
import re
import socket
import statistics
import struct
import sys
import textwrap
from pathlib import Path

raw = Path(sys.argv[1])
ACCELERATOR = os.environ.get("ACCELERATOR", "cuda")
COMMAND = "`tessera {} inputs/quickstart.toml --set train.baseline=false {}`, seed 1."
text = []


def read(name):
    path = raw / name
    return path.read_text() if path.exists() else ""


def lines_of(name):
    return [json.loads(line) for line in read(name).splitlines() if line.startswith("{")]


def table(title, above, head, rows, below=""):
    if not rows:
        return
    show = lambda cells: "| " + " | ".join(str(cell) for cell in cells) + " |"
    text.extend(["", f"## {title}", "", above, "", show(head), show(["---"] * len(head)), *map(show, rows)])
    if below:
        text.extend(["", below])


def number(value, digits=3):
    return "" if value is None else f"{value:.{digits}g}"


def curve(folder):
    content = read(f"{folder}/training.json")
    return json.loads(content)[0]["curve"] if content else []


def epoch_seconds(records):
    """Median and range of the seconds of an epoch, the first left out."""
    seconds = [record["seconds"] for record in records[1:]]
    return statistics.median(seconds) if seconds else None


def loss_difference(one, other, key):
    both = list(zip(one, other))
    return max((abs(a[key] - b[key]) for a, b in both), default=None)


def stages(folder):
    """Seconds of each stage, from the table at the end of a run."""
    found = re.findall(r"^(\w+) +([\d.]+)(?: +[\d.]+){3}$", read(f"{folder}/stages.txt"), re.M)
    return {stage: float(seconds) for stage, seconds in found}


def header(name):
    """The metadata of a model."""
    path = raw / name
    if not path.exists():
        return {}
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        return json.loads(file.read(length)).get("__metadata__", {})


def find(key, value):
    """The first value of a key at whatever depth, in texts that are JSON too."""
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    if not isinstance(value, dict):
        return None
    if key in value:
        return value[key]
    return next(filter(None, (find(key, part) for part in value.values())), None)


def machine():
    rows = [line.split("\t", 1) for line in read("machine.tsv").splitlines() if "\t" in line]
    revision = find("revision", header("data-200k.safetensors"))
    if revision:
        rows.append(["revision of the binary", revision])
    command = "`bash jobs/gpu_pack.sh && OUT=FOLDER bash jobs/gpu.sh`; the parts of it stand above each table."
    table("Machine", command, ["what", "which"], rows)


def runs():
    names = [path.stem.removeprefix("run-") for path in sorted(raw.glob("run-*.txt"), key=os.path.getmtime)]
    speeds, agreement, scores, epochs = [], [], [], {}
    for name in names:
        settings = read(f"run-{name}.txt").strip()
        curves = {device: curve(f"run-{name}-{device}") for device in ("accelerator", "cpu")}
        batch = int(re.search(r"batch=(\d+)", settings).group(1))
        for device, records in curves.items():
            if not records:
                continue
            spent = stages(f"run-{name}-{device}")
            seconds = epoch_seconds(records)
            pairs = 1_000_000 if name.startswith("1M") else 200_000
            steps = -(-pairs * 9 // 10 // batch)
            epochs[name, device] = (seconds, steps)
            shown = ACCELERATOR if device == "accelerator" else "cpu"
            cells = [name, f"`{settings}`", shown, number(seconds), number(1e3 * seconds / steps) if seconds else ""]
            speeds.append(cells + [spent.get(stage, "") for stage in ("train", "predict", "evaluate")])
        gpu, cpu = curves["accelerator"], curves["cpu"]
        if gpu and cpu:
            differences = [loss_difference(gpu[:1], cpu[:1], key) for key in ("train_loss", "validation_loss")]
            differences += [loss_difference(gpu, cpu, key) for key in ("train_loss", "validation_loss")]
            best = [min(record["validation_loss"] for record in records) for records in (gpu, cpu)]
            agreement.append([name, len(gpu), *map(number, differences), *(f"{loss:.5f}" for loss in best)])
        metrics = [json.loads(read(f"run-{name}-{device}/metrics.json") or "{}") for device in curves]
        if all(metrics):
            scores.append([name, *compared(*metrics)])
    table(
        "Training and prediction",
        COMMAND.format("run", "SIZE SETTINGS --device DEVICE")
        + " SIZE is `simulate.trajectories=125 upsample.shuffled=6250` for 200k pairs and `=625`, `=31250` for 1M; nine tenths of them are trained on. "
        "Both devices begin from copies of the same data. Epoch: median, the first left out, validation included. Stages: wall seconds; train reads the pairs and, "
        "on a GPU, starts CUDA. An epoch also holds work of the host (shuffling, uploading the order) and the validation, whatever the batch: the run named whole has one step an epoch.",
        ["run", "SETTINGS", "device", "s an epoch", "ms a step", "train", "predict", "evaluate"],
        speeds,
        "\n".join(filter(None, (net_steps(epochs, device) for device in ("accelerator", "cpu")))),
    )
    table(
        "Losses on both devices",
        "Largest differences between the two curves of the run above (float32 unless the name says float64). The loss is a logarithm; 1e-4 is what counts as an improvement.",
        ["run", "epochs", "train, epoch 1", "validation, epoch 1", "train, all", "validation, all", f"best, {ACCELERATOR}", "best, cpu"],
        agreement,
    )
    table(
        "Scores on both devices",
        "metrics.json of the two runs, with equal noise in both predictions; few epochs in large batches end far from convergence. z: difference over the root of the sum of both squared standard errors.",
        ["run", f"test error, {ACCELERATOR}", "test error, cpu", "scores with an error", "largest z", "of", "above 2"],
        scores,
    )


def net_steps(epochs, device):
    """What a step more in an epoch costs: on a GPU the same for both batches when launching kernels is all that counts."""
    found = [epochs.get((name, device), (None, 0)) for name in ("1M-whole", "1M-65536", "1M-1024")]
    if None in (seconds for seconds, _ in found):
        return ""
    added = [1e3 * (after[0] - before[0]) / (after[1] - before[1]) for before, after in zip(found, found[1:])]
    shown = ACCELERATOR if device == "accelerator" else "cpu"
    times = ", ".join(f"{number(1e3 * seconds)} ms in {steps} step(s)" for seconds, steps in found)
    return f"- {shown}: an epoch of 1M pairs takes {times}; each step more adds {number(added[0])} ms up to {found[1][1]} steps and {number(added[1])} ms from there on."


def compared(gpu, cpu):
    def shown(metrics):
        entry = metrics.get("test_error", {})
        return (
            f"{number(entry.get('value'))} +- {number(entry.get('std_error'), 1)}" if entry.get("std_error") else number(entry.get("value"))
        )

    found = []
    for name in gpu.keys() & cpu.keys():
        values = [metrics[name][key] for metrics in (gpu, cpu) for key in ("value", "std_error")]
        if None not in values and values[1] ** 2 + values[3] ** 2 > 0:
            found.append((abs(values[0] - values[2]) / (values[1] ** 2 + values[3] ** 2) ** 0.5, name))
    z, name = max(found, default=(None, ""))
    above = ", ".join(name for z, name in sorted(found, reverse=True) if z > 2) or "none"
    return [shown(gpu), shown(cpu), len(found), number(z, 2), name, above]


def reference():
    rows = []
    for line in lines_of("reference.jsonl"):
        seconds = statistics.median(line["epochs"][1:])
        rows.append(
            [
                line["pairs"],
                line["batch"],
                line["mode"],
                line["steps"],
                number(seconds),
                number(1e3 * seconds / line["steps"]),
                number(line["setup"]),
            ]
        )
    rows.sort(key=lambda row: (row[0], row[1]))
    table(
        "The same networks in plain PyTorch",
        f"`python3 jobs/gpu_reference.py --mode MODE --device {ACCELERATOR}`, seed 1: random pairs of the same shape, no validation, the loss read once an epoch, the incomplete batch left out. "
        "Compare ms a step. Set-up: first step, with compilation or recording.",
        ["pairs", "batch", "mode", "steps an epoch", "s an epoch", "ms a step", "set-up s"],
        rows,
    )


def closure():
    rows, curves = [], {}
    for device in ("accelerator", "cpu"):
        seconds = re.search(r"^closure +([\d.]+)", read(f"closure-{device}.txt"), re.M)
        curves[device] = find("curve", header(f"closure-{device}.safetensors"))
        if seconds:
            last = curves[device][-1] if curves[device] else ["", "", ""]
            rows.append([ACCELERATOR if device == "accelerator" else "cpu", seconds.group(1), *last[1:3]])
    difference = ""
    if all(curves.values()):
        largest = max(abs(a - b) for one, other in zip(*curves.values()) for a, b in zip(one[1:3], other[1:3]))
        difference = f"Largest difference of a loss: {number(largest)}."
    table(
        "Closure variables",
        COMMAND.format("closure", "SIZE closure.epochs=3 --device DEVICE")
        + " 200k pairs; training of the autoencoder, then encoding of all patches.",
        ["device", "stage, s", "last training loss", "last validation loss"],
        rows,
        difference,
    )


def shared():
    curves = {count: curve(f"shared-{count}") for count in (1, 2)}
    rows = [
        [count, number(epoch_seconds(records)), f"{records[-1]['validation_loss']:.6f}"] for count, records in curves.items() if records
    ]
    difference = loss_difference(curves[1], curves[2], "train_loss") if all(curves.values()) else None
    table(
        "Two ranks on one accelerator",
        "`mpirun -n RANKS` "
        + COMMAND.format("train", f"SIZE train.fit.batch=65536 train.fit.epochs=10 --device {ACCELERATOR}")
        + " 200k pairs; gradients go through the host.",
        ["ranks", "s an epoch", "last validation loss"],
        rows,
        f"Largest difference of a training loss: {number(difference)}." if difference is not None else "",
    )


def scaling():
    for name, kind in (("strong", "ranks"), ("weak", "ranks"), ("strong-threads", "threads")):
        points = lines_of(f"scaling-{name}.jsonl")
        rows, first = [], None
        for point in points:
            (seconds, error), count = point["seconds"], point[kind]
            speed = point["events"] / seconds
            first = first or (count, speed)
            gain = speed / first[1]
            rows.append(
                [
                    count,
                    point["side"],
                    f"{1e3 * seconds:.1f} +- {1e3 * error:.1f}",
                    number(speed),
                    f"{gain:.2f}",
                    f"{gain * first[0] / count:.2f}",
                    number(1e3 * point["waited"]),
                    number(point["memory"], 2),
                ]
            )
        if points:
            weak = " --weak" if name == "weak" else ""
            side = points[0]["side"]
            command = (
                f"`mpirun -n N tessera scaling --side {side}{weak}`" if kind == "ranks" else f"`tessera scaling --side {side} --threads N`"
            )
            title = f"Sweeps of one lattice: {name.split('-')[0]} scaling over {kind}"
            head = [
                "N",
                "side",
                "ms a sweep",
                "events/s",
                "speed-up",
                "efficiency",
                "ms packing, pasting, waiting",
                "bytes a site and rank",
            ]
            table(
                title,
                (
                    command + ", seed 1, tiles of 64, quantum 1, one thread a rank, ranks not bound to cores."
                    if kind == "ranks"
                    else command + ", seed 1."
                ),
                head,
                rows,
            )


def threads():
    rows = []
    for batch, size, epochs in ((1024, "200k", 5), (65536, "1M", 4)):
        folders = sorted(raw.glob(f"threads-{size}-{batch}-*"), key=lambda path: int(path.name.rsplit("-", 1)[1]))
        one = curve(folders[0].name) if folders else []
        for folder in folders:
            records = curve(folder.name)
            if records and len(one) > 1:
                seconds = epoch_seconds(records)
                count = int(folder.name.rsplit("-", 1)[1])
                rows.append(
                    [
                        size,
                        batch,
                        count,
                        number(seconds),
                        f"{epoch_seconds(one) / seconds:.2f}",
                        number(loss_difference(one, records, "train_loss")),
                    ]
                )
    table(
        "Training on threads of the processor",
        COMMAND.format("train", "SIZE train.fit.batch=BATCH train.fit.epochs=EPOCHS --device cpu --threads N")
        + " 5 epochs at 200k, 4 at 1M. A thread takes at least 128 samples, so batches of 1024 use at most 8.",
        ["pairs", "batch", "threads", "s an epoch", "speed-up", "largest difference of a training loss from one thread"],
        rows,
    )


def bench():
    rows = [[line["name"], number(line["value"], 4), line["unit"]] for line in lines_of("bench.jsonl")]
    table("Kernels", "`tessera bench --json`, seed 1; one core unless the name says otherwise.", ["kernel", "measured", "unit"], rows)


def data():
    rows = []
    for size in ("200k", "1M"):
        found = dict(re.findall(r"^(\w+) +([\d.]+) s$", read(f"data-{size}.txt"), re.M))
        if found:
            rows.append([size, *(found.get(stage, "") for stage in ("simulate", "upsample", "evolve", "closure", "truth"))])
    table(
        "Data stages on the processor",
        COMMAND.format("STAGE", "SIZE --device cpu") + " All cores, one rank; wall seconds.",
        ["pairs", "simulate", "upsample", "evolve", "closure", "truth"],
        rows,
    )


def failures():
    rows = [line.split("\t") + [""] for line in read("failures.txt").splitlines()]
    table(
        "What failed",
        "Last lines of its output.",
        ["measurement", "status", "output"],
        [[row[0], row[1], row[2].replace("|", "/")[-800:]] for row in rows],
    )


def clean(content):
    """Without absolute paths and names of host and user."""
    content = re.sub(r"(?<![\w.`/])/(?:[^\s:,;()|\"'`/]+/)+", "", content)
    for name in {socket.gethostname(), socket.gethostname().split(".")[0]}:
        content = re.sub(rf"\b{re.escape(name)}\b", "HOST", content)
    user = os.environ.get("USER", "")
    return re.sub(rf"\b{re.escape(user)}\b", "USER", content) if user not in ("", "root") else content


text.append("# On a GPU, and on all cores of its machine")
for part in (machine, runs, reference, closure, shared, data, scaling, threads, bench, failures):
    try:
        part()
    except Exception as error:
        text.extend(["", f"The table of {part.__name__} could not be made: {error!r}."])
def wrapped(line):
    """Prose in lines of 110 characters; a row of a table stays whole."""
    short = line.startswith("|") or len(line) <= 110
    return line if short else textwrap.fill(line, 110, break_long_words=False, break_on_hyphens=False)


lines = clean("\n".join(text)).split("\n")
Path(sys.argv[2]).write_text("\n".join(map(wrapped, lines)) + "\n")
