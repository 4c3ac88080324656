"""Opens exported atoms with ASE and, where it is installed, OVITO.

    read_atoms.py DUMP.gz EXTXYZ CELLS VACANCIES FRAMES
"""

import sys

import ase.io
import numpy as np

dump, extxyz = sys.argv[1:3]
cells, vacancies, frames = map(int, sys.argv[3:])
for path, format in [(extxyz, "extxyz"), (dump, "lammps-dump-text")]:
    images = ase.io.read(path, index=":", format=format)
    assert len(images) == frames, (path, len(images))
    for atoms in images:
        assert len(atoms) == 2 * cells**3 and atoms.pbc.all()
        assert atoms.get_chemical_symbols().count("X") == vacancies
        assert np.allclose(atoms.cell.lengths(), cells * 3.24)
first, second = (ase.io.read(path, index=0, format=format) for path, format in
                 [(extxyz, "extxyz"), (dump, "lammps-dump-text")])
assert first.get_chemical_symbols() == second.get_chemical_symbols()
assert np.allclose(first.positions, second.positions)
distances = first.get_distances(0, range(1, len(first)), mic=True)
assert np.isclose(distances.min(), 3.24 * np.sqrt(3) / 2), "the nearest neighbours of a bcc lattice"
print("ASE reads atoms")
try:
    from ovito.io import import_file
except ImportError as error:
    print(f"skipped OVITO: {error}")
else:
    for path in (dump, extxyz):
        pipeline = import_file(path)
        assert pipeline.source.num_frames == frames, (path, pipeline.source.num_frames)
        data = pipeline.compute(0)
        assert data.particles.count == 2 * cells**3
        kinds = data.particles.particle_types
        names = [kinds.type_by_id(kind).name for kind in kinds]
        assert names.count("X") == vacancies, set(names)
    print("OVITO reads atoms")
