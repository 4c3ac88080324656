"""A plain PyTorch training of the networks of `tessera train`, to compare with: one JSON line for each size.

Drift 4-64-64-64-4 and full diffusion 4-64-64-10 with tanh, AdamW with AMSGrad, float32, index batches of tensors that stay on the device, a new
random order in every epoch; the loss is read once an epoch. Random pairs of the shape that `tessera bench train` takes, seed 1.
"""

import argparse
import json
import time

import torch
from torch import nn

D = 4
FULL = [(200_000, 1024, 6), (1_000_000, 65_536, 10), (200_000, 65_536, 20), (1_000_000, 1024, 3)]
SMALL = [(20_000, 1024, 3), (20_000, 8192, 3)]


def perceptron(*widths):
    layers = []
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Linear(before, after), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class Likelihood(nn.Module):
    def __init__(self):
        super().__init__()
        self.drift = perceptron(D, 64, 64, 64, D)
        self.diffusion = perceptron(D, 64, 64, D * (D + 1) // 2)
        self.register_buffer("below", torch.tril_indices(D, D, -1))

    def forward(self, rows):
        z, increment, dt = rows.split([D, D, 1], 1)
        outputs = self.diffusion(z)
        diagonal = nn.functional.softplus(outputs[:, :D] + 0.5413) + 1e-4
        factor = torch.diag_embed(diagonal)
        factor[:, self.below[0], self.below[1]] = outputs[:, D:]
        rest = increment - self.drift(z) * dt
        y = torch.linalg.solve_triangular(factor, rest.unsqueeze(-1), upper=False).squeeze(-1)
        return (y.square().sum(1) + 2 * diagonal.log().sum(1)).mean()


def trainer(mode, device, batch):
    """A function that takes rows of one batch, makes a step and returns the loss on the device."""
    torch.manual_seed(1)
    model = Likelihood().to(device)
    cuda = device.type == "cuda"
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, amsgrad=True, fused=True, capturable=cuda)
    loss_of = torch.compile(model, dynamic=False) if mode == "compile" else model

    def step(rows):
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(rows)
        loss.backward()
        optimiser.step()
        return loss.detach()

    if mode != "graph":
        return step
    # The recipe of PyTorch's manual: some steps on a side stream, then one that is recorded.
    held = torch.randn(batch, 2 * D + 1, device=device)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(held)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    optimiser.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        loss = step(held)

    def replay(rows):
        held.copy_(rows)
        graph.replay()
        return loss

    return replay


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["eager", "compile", "graph"], default="eager")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    choices = parser.parse_args()
    device = torch.device(choices.device)
    for pairs, batch, epochs in SMALL if choices.small else FULL:
        torch.manual_seed(1)
        z = torch.randn(pairs, D)
        rows = torch.cat([z, 0.1 * torch.randn(pairs, D) - 0.01 * z, torch.ones(pairs, 1)], 1).to(device)
        start = time.perf_counter()
        step = trainer(choices.mode, device, batch)
        step(rows[:batch])
        if device.type == "cuda":
            torch.cuda.synchronize()
        setup = time.perf_counter() - start
        seconds = []
        for _ in range(epochs):
            start = time.perf_counter()
            order = torch.randperm(pairs, device=device)
            total = torch.zeros((), device=device)
            # The last batch, a smaller one, is left out: a recorded graph has one size.
            for first in range(0, pairs - batch + 1, batch):
                total += step(rows[order[first : first + batch]])
            total.item()
            seconds.append(time.perf_counter() - start)
        steps = pairs // batch
        line = dict(mode=choices.mode, device=device.type, pairs=pairs, batch=batch, steps=steps, setup=setup, epochs=seconds)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
