"""Runs the code of a notebook in its folder, on another run directory.

    run_notebook.py NOTEBOOK RUN
"""

import json
import os
import pathlib
import sys

notebook, run = map(pathlib.Path, sys.argv[1:])
os.environ.update(TESSERA_RUN=str(run.resolve()), MPLBACKEND="Agg")
cells = json.loads(notebook.read_text())["cells"]
os.chdir(notebook.parent)
code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
names = {}
for cell in code:
    exec(compile(cell, notebook.name, "exec"), names)
states = names["states"]
assert states.shape[0] >= 2 and (abs(states) < 10).all(), states
print(f"{notebook.name}: {len(code)} cells on {run}")
