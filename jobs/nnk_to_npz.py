#!/usr/bin/env python3
"""Converts the published barrier network, a pickled list of arrays, to arrays by name: nnk_to_npz.py nnk_weights.npy nnk_weights.npz.

A pickle can run code when it is read: only convert a file that you trust.
"""

import sys

import numpy

PARTS = ["weight", "bias", "bn_gamma", "bn_beta", "bn_mean", "bn_var"]

source, target = sys.argv[1:]
arrays = list(numpy.load(source, allow_pickle=True))
names = [f"layer{layer}.{part}" for layer in range(len(arrays) // len(PARTS)) for part in PARTS]
names += ["output.weight", "output.bias"]
if len(names) != len(arrays):
    sys.exit(f"{source} holds {len(arrays)} arrays; the published network has {len(names)}")
numpy.savez(target, **{name: numpy.asarray(array, "float32") for name, array in zip(names, arrays)})
