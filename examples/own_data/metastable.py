"""A two-dimensional metastable system (arXiv 2402.14475) as data for `tessera fit`; needs numpy alone.

    dx = [x (1 - x^2) / 5 + y (1 + sin x)] dt + sqrt(1 / 50) dB1
    dy = [-y + 2 x (1 - x^2) (1 + sin x)] dt + sqrt(1 / 5) dB2

    python3 metastable.py metastable.npz [STEP]
    tessera fit metastable.npz --input metastable.toml --out runs/metastable
    python3 metastable.py --check runs/metastable/ours_1.safetensors metastable.npz
"""

import pathlib
import sys

import numpy as np

NOISE = np.array([1 / 50, 1 / 5])


def drift(z):
    x, y = z[..., 0], z[..., 1]
    bend = 1 + np.sin(x)
    return np.stack([x * (1 - x**2) / 5 + y * bend, -y + 2 * x * (1 - x**2) * bend], axis=-1)


def simulate(trajectories, records, step, seed, fine=0.001):
    """Trajectories from uniform starts in [-2, 2] x [-1.5, 1.5], by Euler-Maruyama with a fine step."""
    random = np.random.default_rng(seed)
    z = random.uniform([-2, -1.5], [2, 1.5], (trajectories, 2))
    states = [z]
    for _ in range(records - 1):
        for _ in range(round(step / fine)):
            z = z + drift(z) * fine + random.standard_normal(z.shape) * np.sqrt(NOISE * fine)
        states.append(z)
    return np.stack(states, axis=1)


def check(model, data):
    """Relative errors of the learned drift and Sigma over the states of the data."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
    from tessera_model import Model

    model = Model(model)
    z = np.load(data)["z"].reshape(-1, 2)
    z = z[:: max(1, len(z) // 20000)]
    exact = drift(z)
    error = np.sqrt(((model.drift(z) - exact) ** 2).sum() / (exact**2).sum())
    covariance = np.diag(NOISE)
    of_noise = np.sqrt(((model.sigma(z) - covariance) ** 2).sum() / (covariance**2).sum() / len(z))
    print(f"drift error {error:.3f}, Sigma error {of_noise:.3f}")


if sys.argv[1] == "--check":
    check(*sys.argv[2:4])
else:
    step = float(sys.argv[2]) if len(sys.argv) > 2 else 0.1
    z = simulate(trajectories=2000, records=21, step=step, seed=1)
    np.savez(sys.argv[1], z=z, dt=step, names=["x", "y"], units=["1", "1"], time_unit="1")
