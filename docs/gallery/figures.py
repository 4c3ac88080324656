#!/usr/bin/env python3
"""A figure of the gallery: figures.py RUN FILE.svg [LAST TIME [OBSERVABLE ...]] (xarray, h5netcdf, matplotlib).

The named observables of a run, or its first two, against time, one line for each start: direct simulation and learned
model, with bands of one standard deviation, and their distributions in the last half of the time.
"""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xarray

INK, BLUE, MOST = "#1b1f24", "#0067a8", 2

run, target = sys.argv[1:3]
truth = xarray.open_dataset(f"{run}/truth.h5", engine="h5netcdf")
prediction = xarray.open_dataset(f"{run}/prediction.h5", engine="h5netcdf")
learned = prediction.ours.isel(model=0)
last = float(sys.argv[3]) if len(sys.argv) > 3 else float(truth.time[-1])
shown = truth.time.values <= last
time = truth.time.values[shown]
names = sys.argv[4:] or [str(name) for name in truth.observable.values[:MOST]]
plt.rcParams.update({"font.size": 9, "svg.hashsalt": "tessera", "svg.fonttype": "none"})
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
shape = {"figsize": (8, 2.6 * len(names)), "width_ratios": [2, 1], "layout": "constrained", "squeeze": False}
figure, axes = plt.subplots(len(names), 2, **shape)
for name, (left, right) in zip(names, axes):
    ensembles = [(truth.observables.sel(observable=name), truth.start, INK, "direct simulation")]
    ensembles.append((learned.sel(component=name), prediction.start, BLUE, "learned"))
    for values, starts, colour, label in ensembles:
        groups = np.unique(starts.values, axis=0, return_inverse=True)[1].ravel()
        for group in np.unique(groups):
            chosen = values.values[groups == group][:, shown]
            mean, spread = chosen.mean(0), chosen.std(0)
            left.plot(time, mean, color=colour, lw=1.2, label=label)
            left.fill_between(time, mean - spread, mean + spread, color=colour, alpha=0.12, lw=0)
            label = None
        late = values.values[:, truth.time.values > truth.time.values[-1] / 2]
        right.hist(late.ravel(), bins=min(50, int(late.size**0.5)), density=True, histtype="step", color=colour, lw=1.2)
    unit = truth.time.attrs["units"]
    left.set(xlabel="time" if unit == "1" else f"time ({unit})", ylabel=name.replace("_", " "), xlim=(0, time[-1]))
    right.set(xlabel=f"{name.replace('_', ' ')}, last half", ylabel="probability density")
axes[0][0].legend(frameon=False)
figure.savefig(target, metadata={"Date": None})
