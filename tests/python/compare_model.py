"""Compares python/tessera_model.py with `tessera model eval --json`, which comes on standard input.

    compare_model.py MODEL [CONDITION]
"""

import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
from tessera_model import Model

model = Model(sys.argv[1])
condition = [float(value) for value in sys.argv[2].split(",")] if len(sys.argv) > 2 else None
if condition and len(condition) == 1:
    condition = condition[0]
expected = json.load(sys.stdin)
z = np.array([state["z"] for state in expected["states"]])
worst = 0.0
for name, found in [("drift", model.drift(z, condition)), ("sigma", model.sigma(z, condition))]:
    right = np.array([state[name] for state in expected["states"]])
    assert found.shape == right.shape and np.isfinite(found).all(), (name, found.shape, right.shape)
    worst = max(worst, np.abs(found - right).max() / np.abs(right).max())
assert model.names == [label["name"] for label in expected["labels"]["components"]]
assert worst < 1e-5, f"the largest deviation is {worst:.2e}"

# One step of many trajectories from the middle of the data has the mean and the covariance of the equation.
count, dt = 20000, 1e-4
start = np.repeat(model.origin[None], count, axis=0)
states = model.simulate(start, dt, 2, every=2, seed=1, condition=condition)
assert states.shape == (2, count, len(model.names))
step = (states[1] - states[0]) @ model.standard
mean = model.drift(model.origin, condition) @ model.standard * 2 * dt
covariance = model.standard.T @ model.sigma(model.origin, condition) @ model.standard * 2 * dt
spread = np.sqrt(np.diag(covariance))
assert (np.abs(step.mean(0) - mean) < 5 * spread / np.sqrt(count)).all(), "the mean of a step"
assert (np.abs(np.cov(step.T) - covariance) < 0.06 * np.outer(spread, spread)).all(), "the covariance of a step"
print(f"{worst:.2e}")
