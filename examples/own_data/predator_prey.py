"""Prey u and predators v on a line (arXiv 2511.12842, Eqs. 20-22), simulated without tessera; needs numpy alone.

    du = u (1 - u - v) dt + 0.02 dB,  dv = [3 v (u - 0.4) + Lap v] dt + 0.02 dB  at each of 200 sites, no flux at the ends

The means of u and v over the sites are the state that is learned.

    python3 predator_prey.py predator_prey.npz
    tessera fit predator_prey.npz --set fit.epochs=40 --out runs/predator_prey
    python3 predator_prey.py --check runs/predator_prey/ours_1.safetensors predator_prey.npz
"""

import pathlib
import sys

import numpy as np

SITES, STEP, NOISE = 200, 0.01, 0.02
RECORD = 5  # steps between records


def drift(u, v):
    edges = np.concatenate([v[:, :1], v, v[:, -1:]], axis=1)
    return u * (1 - u - v), 3 * v * (u - 0.4) + edges[:, 2:] - 2 * v + edges[:, :-2]


def simulate(trajectories, time, seed):
    """Means of u and v at every record, [trajectory, record, 2], and their exact drift, given all sites."""
    random = np.random.default_rng(seed)
    mean = random.uniform(0.45, 0.55, (trajectories, 1))
    wave = random.uniform(0.05, 0.15, (trajectories, 1)) * np.cos(10 * np.pi * (np.arange(SITES) + 0.5) / SITES)
    u, v = mean + wave, 1 - mean - wave
    states, drifts = [], []
    for step in range(round(time / STEP) + 1):
        of_u, of_v = drift(u, v)
        if step % RECORD == 0:
            states.append([u.mean(1), v.mean(1)])
            drifts.append([of_u.mean(1), of_v.mean(1)])
        kick = NOISE * np.sqrt(STEP) * random.standard_normal((2, *u.shape))
        u, v = u + of_u * STEP + kick[0], v + of_v * STEP + kick[1]
    return np.transpose(states, (2, 0, 1)), np.transpose(drifts, (2, 0, 1))


def check(model, data):
    """Errors of the learned drift against the exact one of the test states, and of Sigma."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
    from tessera_model import Model

    model = Model(model)
    states, drifts = simulate(20, 30.0, seed=2)
    z, exact = states.reshape(-1, 2), drifts.reshape(-1, 2)
    error = np.sqrt(((model.drift(z) - exact) ** 2).sum() / (exact**2).sum())
    covariance = np.eye(2) * NOISE**2 / SITES
    of_noise = np.sqrt(((model.sigma(z) - covariance) ** 2).sum() / (covariance**2).sum() / len(z))
    print(f"drift error {error:.3f}, Sigma error {of_noise:.3f}")


if sys.argv[1] == "--check":
    check(*sys.argv[2:4])
else:
    z, _ = simulate(trajectories=100, time=30.0, seed=1)
    np.savez(sys.argv[1], z=z, dt=STEP * RECORD, names=["prey", "predators"], time_unit="1 / growth rate of the prey")
