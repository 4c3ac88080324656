"""Reads a learned model of tessera, with numpy alone. The file format is described in docs/model.md.

    from tessera_model import Model

    model = Model("runs/quickstart/ours_1.safetensors")
    model.names, model.units, model.time_unit
    model.drift(z)                    # [n, d] or [d], physical units per unit of time
    model.sigma(z)                    # [n, d, d]
    model.simulate(z, dt, steps, every, seed)   # [1 + steps // every, n, d]

A model that was trained at several conditions takes `condition=`, a number or one for each axis. All arithmetic is in
double precision.
"""

import itertools
import json
import math
import struct

import numpy as np


def read_safetensors(path):
    """The metadata and the arrays of a safetensors file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    kinds = {"F32": "<f4", "F64": "<f8"}
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[begin:end], kinds[entry["dtype"]])
        arrays[name] = values.astype(float).reshape(entry["shape"])
    return metadata, arrays


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def silu(x):
    return x * np.exp(-softplus(-x))


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2)))


ACTIVATIONS = {"tanh": np.tanh, "silu": silu, "gelu": gelu, "relu": lambda x: np.maximum(x, 0)}


def bend(x):
    """The nonlinearity of the onsager drift."""
    return np.maximum(x, 0) ** 2 - np.maximum(x - 0.5, 0) ** 2


def bend_slope(x):
    return 2 * np.maximum(x, 0) - 2 * np.maximum(x - 0.5, 0)


def triangle(packed, size):
    """Lower triangular matrices [n, r, r] from [n, r (r + 1) / 2]: the diagonal, then the rest column by column."""
    matrix = np.zeros((len(packed), size, size))
    diagonal = np.arange(size)
    matrix[:, diagonal, diagonal] = packed[:, :size]
    following = size
    for column in range(size):
        for row in range(column + 1, size):
            if following < packed.shape[1]:
                matrix[:, row, column] = packed[:, following]
                following += 1
    return matrix


class Model:
    """A learned equation dz = mu(z) dt + L(z) dB, Sigma = L L^T, in physical units."""

    def __init__(self, path):
        metadata, self.weights = read_safetensors(path)
        about = json.loads(metadata["tessera"])
        if about.get("model") != "sde" or about.get("format") != 2:
            raise ValueError(f"{path} holds a {about.get('model')} of format {about.get('format')}, not an sde of format 2")
        if "constants" not in about:
            raise ValueError(f"{path} was written by an earlier version of tessera; train again with this one")
        self.about, self.input, scales = about, about["input"], about["scales"]
        self.constants = about["constants"]
        if self.input["drift"] not in ("mlp", "linear", "onsager", "reversible"):
            raise ValueError(f"this reader does not know the drift \"{self.input['drift']}\" of {path}")
        if self.input["diffusion"] not in ("full", "diagonal", "constant"):
            raise ValueError(f"this reader does not know the diffusion \"{self.input['diffusion']}\" of {path}")
        labels = about["labels"]
        self.names = [label["name"] for label in labels["components"]]
        self.units = [label["unit"] for label in labels["components"]]
        self.time_unit, self.condition = labels["time_unit"], labels["condition"]
        self.seconds = labels["seconds"]
        self.extent = np.array(scales.get("extent", [])).reshape(-1, 2)
        coordinates = scales["coordinates"]
        self.origin = np.array(coordinates["origin"])
        self.standard = np.array(coordinates["standard"]).reshape(len(self.origin), -1)
        self.physical = np.array(coordinates["physical"]).reshape(-1, len(self.origin))
        self.drift_unit, self.noise_unit = np.array(scales["drift"]), np.array(scales["diffusion"])
        self.condition_range, self.strength = scales.get("condition"), scales.get("strength")
        if self.condition_range is not None:  # [axes, 2]
            self.condition_range = np.array(self.condition_range).reshape(-1, 2)
        self.clock = scales.get("clock", 1.0)
        self.walls, self.symmetry = scales.get("walls"), scales.get("symmetry")
        if self.walls:
            self.walls = np.array(self.walls["normals"]), np.array(self.walls["bounds"])

    # Physical units

    def drift(self, z, condition=None):
        """mu at states z, [n, d] or [d]."""
        return self._both(z, condition)[0]

    def sigma(self, z, condition=None):
        """Sigma at states z, [n, d, d] or [d, d]."""
        return self._both(z, condition)[1]

    def _both(self, z, condition):
        z = np.asarray(z, float)
        drift, factor = self.fields((np.atleast_2d(z) - self.origin) @ self.standard, condition)
        factor = self.physical.T @ factor
        drift, sigma = drift @ self.physical, factor @ factor.transpose(0, 2, 1)
        return (drift[0], sigma[0]) if z.ndim == 1 else (drift, sigma)

    def simulate(self, z, dt, steps, every=1, seed=0, condition=None):
        """Euler-Maruyama trajectories from states z [n, d]; every `every`-th state, [1 + steps // every, n, d]. The
        states are kept within the walls around the training data, as tessera does, and time runs by the clock of the
        model. tessera also accepts or rejects the steps of a reversible model (Metropolis); this does not."""
        random = np.random.default_rng(seed)
        x = (np.atleast_2d(np.asarray(z, float)) - self.origin) @ self.standard
        records = [x @ self.physical + self.origin]
        for step in range(1, steps + 1):
            drift, factor = self.fields(x, condition)
            noise = random.standard_normal(x.shape) * math.sqrt(dt * self.clock)
            x = self.within_walls(x + drift * dt * self.clock + np.einsum("nij,nj->ni", factor, noise))
            if step % every == 0:
                records.append(x @ self.physical + self.origin)
        return np.array(records)

    # Coordinates of the networks

    def fields(self, x, condition=None):
        """Drift [n, r] and factor L [n, r, r] at coordinates x [n, r]."""
        if (self.condition_range is None) != (condition is None):
            raise ValueError("give a condition to a model that was trained with several, and to no other one")
        if self.symmetry is None:
            return self._fields_of_networks(x, condition)
        maps, signs_alone = [], self._coordinates_are_components()
        for element in self.symmetry["elements"]:
            size = len(element["signs"])
            signs_alone &= element["permutation"] == list(range(size))
            image = np.zeros((size, size))
            for to, (source, sign) in enumerate(zip(element["permutation"], element["signs"])):
                image[source, to] = sign
            maps.append(image)
        inverses = [image.T for image in maps]
        if not signs_alone:
            turned = [[self.physical @ image @ self.standard for image in images] for images in (maps, inverses)]
            maps, inverses = turned
        centre = (np.array(self.symmetry["centre"]) - self.origin) @ self.standard
        drifts, factors, sigmas = 0, 0, 0
        for image, inverse in zip(maps, inverses):
            drift, factor = self._fields_of_networks(centre + (x - centre) @ image, condition)
            drifts = drifts + drift @ inverse / len(maps)
            factors = factors + inverse.T @ factor @ image.T / len(maps)
            back = inverse.T @ factor
            sigmas = sigmas + back @ back.transpose(0, 2, 1) / len(maps)
        return drifts, factors if signs_alone else np.linalg.cholesky(sigmas)

    def _coordinates_are_components(self):
        rows, columns = self.standard.shape
        return rows == columns and np.array_equal(self.standard, np.diag(np.diag(self.standard)))

    def _fields_of_networks(self, x, condition):
        strength, inputs, features = 1.0, x, None
        if condition is not None:
            condition = np.atleast_1d(np.asarray(condition, float))
            if len(condition) != len(self.condition_range):
                raise ValueError(f"a condition of this model is {len(self.condition_range)} number(s): {self.condition}")
            least, width = self.condition_range.T
            features = self._perceptron("condition", ((condition - least) / width)[None, :], np.tanh)
            inputs = np.hstack([x, np.repeat(features, len(x), axis=0)])
            if self.strength:
                logarithm = np.interp(condition[0], self.strength["conditions"], self.strength["logarithms"])
                strength = math.exp(logarithm)
        drift = getattr(self, "_drift_" + self.input["drift"])(x, inputs, features)
        drift = drift * self.drift_unit * strength
        return drift, self._factor(inputs) * self.noise_unit[None, :, None] * strength

    def _factor(self, inputs):
        size = len(self.noise_unit)
        if self.input["diffusion"] == "constant":
            outputs = np.repeat(self.weights["diffusion"], len(inputs), axis=0)
        else:
            outputs = self._perceptron("diffusion", inputs)
        diagonal = softplus(outputs[:, :size] + self.constants["softplus_shift"]) + self.constants["diagonal_floor"]
        return triangle(np.hstack([diagonal, outputs[:, size:]]), size)

    def _affine(self, name, inputs):
        return inputs @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def _perceptron(self, name, values, activation=None):
        activation = activation or ACTIVATIONS[self.input["activation"]]
        layers = sum(key.startswith(name + ".") and key.endswith(".weight") for key in self.weights)
        for layer in range(layers):
            values = self._affine(f"{name}.{layer}", values)
            if layer + 1 < layers:
                values = activation(values)
        return values

    def _drift_mlp(self, x, inputs, features):
        return self._perceptron("drift", inputs)

    def _drift_linear(self, x, inputs, features):
        if features is None:
            return self._perceptron("drift", x)
        size = x.shape[1]
        values = self._perceptron("drift", features).reshape(size + 1, size)
        return x @ values[:size].T + values[size]

    def _drift_onsager(self, x, inputs, features):
        """-(M + W) grad V + f, with the gradient of V by the chain rule."""
        size, weights = x.shape[1], self.weights
        first = self._affine("drift.trunk.0", inputs)
        second = self._affine("drift.trunk.1", bend(first))
        trunk = bend(second) + bend(first)
        wells = self._affine("drift.potential", trunk) + x @ weights["drift.mixing"].T
        by_trunk = 2 * wells @ weights["drift.potential.weight"]
        by_second = by_trunk * bend_slope(second)
        by_first = (by_second @ weights["drift.trunk.1.weight"] + by_trunk) * bend_slope(first)
        slope = (by_first @ weights["drift.trunk.0.weight"])[:, :size]
        slope = slope + 2 * wells @ weights["drift.mixing"] + 2 * self.input["onsager_confinement"] * x
        root = triangle(self._affine("drift.dissipation", trunk), size)
        flow = root @ root.transpose(0, 2, 1) + self.constants["onsager_dissipation"] * np.eye(size)
        rotation = self._affine("drift.rotation", trunk)
        rotation = triangle(np.hstack([np.zeros_like(x), rotation]), size)
        flow = flow + rotation - rotation.transpose(0, 2, 1)
        return self._affine("drift.force", trunk) - np.einsum("nij,nj->ni", flow, slope)

    def _drift_reversible(self, x, inputs, features):
        """Sigma f + 1/2 div Sigma with f = -1/2 grad F and F a sum of products of Chebyshev polynomials."""
        size, degree = x.shape[1], self.input["potential_degree"]
        reach = self.walls[1][: 2 * size].reshape(size, 2).max(axis=1)
        values, slopes = [np.ones_like(x), x / reach], [np.ones_like(x), 2 * x / reach]
        for k in range(2, degree + 1):
            for polynomials in (values, slopes):
                polynomials.append(2 * x / reach * polynomials[k - 1] - polynomials[k - 2])
        force = np.zeros_like(x)
        terms = (term for term in itertools.product(range(degree + 1), repeat=size) if 0 < sum(term) <= degree)
        for weight, term in zip(self.weights["drift.potential"], terms):
            for j in (j for j in range(size) if term[j] > 0):
                factors = [values[k][:, i] for i, k in enumerate(term) if i != j]
                slope = term[j] * slopes[term[j] - 1][:, j] / reach[j]
                force[:, j] -= 0.5 * weight * slope * np.prod(factors, axis=0)
        lengths, step = self.noise_unit**2 / self.drift_unit, self.constants["divergence_step"]
        sigma = lambda x: (lambda root: root @ root.transpose(0, 2, 1))(self._factor(x))
        flow = np.einsum("nij,nj->ni", sigma(x), force * lengths)
        for j in range(size):
            shift = step * np.eye(size)[j]
            flow = flow + 0.5 * lengths[j] * (sigma(x + shift) - sigma(x - shift))[:, :, j] / (2 * step)
        return flow

    def within_walls(self, x):
        """Coordinates x, those beyond a wall moved back along its normal."""
        if not self.walls:
            return x
        normals, bounds = self.walls
        for _ in range(self.constants["wall_corners"]):
            beyond = x @ normals.T - bounds
            worst = beyond.argmax(axis=1)
            excess = np.maximum(np.take_along_axis(beyond, worst[:, None], axis=1), 0)
            if not excess.any():
                break
            x = x - excess * normals[worst]
        return x
