#!/usr/bin/env python3
"""The figure of the README: docs/figures/quickstart.py RUN FILE.svg, for a run of inputs/quickstart.toml (h5py, matplotlib)."""

import sys

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

run, target = sys.argv[1:]
with h5py.File(f"{run}/evaluation.h5") as file:
    time, truth = file["time"][:], file["truth"][..., 0]
with h5py.File(f"{run}/prediction.h5") as file:
    learned = file["ours"][0, ..., 0]

STARTS = 7
BLUE, INK = "#0067a8", "#1b1f24"
plt.rcParams.update({"font.size": 9, "svg.hashsalt": "tessera", "axes.spines.top": False, "axes.spines.right": False})
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), width_ratios=[2, 1], layout="constrained")
shown = time <= 400
for ensemble, colour, name in [(truth, INK, "direct simulation"), (learned, BLUE, "learned")]:
    for start, trajectories in enumerate(np.split(ensemble, STARTS)):
        mean, spread = trajectories.mean(0)[shown], trajectories.std(0, ddof=1)[shown]
        left.plot(time[shown], mean, color=colour, lw=1.2, label=name if start == 0 else None)
        left.fill_between(time[shown], mean - spread, mean + spread, color=colour, alpha=0.12, lw=0)
    late = ensemble[:, time > time[-1] / 2]
    right.hist(late.ravel(), bins=50, density=True, histtype="step", color=colour, lw=1.2)
left.set(xlabel="time (1 / attempt rate)", ylabel="magnetisation M", xlim=(0, 400))
left.legend(frameon=False, loc="lower right")
right.set(xlabel="M in equilibrium", ylabel="probability density")
figure.savefig(target, metadata={"Date": None})
