"""Opens an exported XDMF file with ParaView. Run by pvpython.

    read_xdmf.py FILE FRAMES COLUMNS MEAN_OF_LAST_FRAME
"""

import sys

from paraview.simple import XDMFReader
from paraview.servermanager import Fetch
from vtkmodules.util.numpy_support import vtk_to_numpy

path, frames, columns, mean = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
reader = XDMFReader(FileNames=[path])
times = list(reader.TimestepValues)
assert len(times) == frames, times
reader.UpdatePipeline(times[-1])
data = Fetch(reader)
values = vtk_to_numpy(data.GetCellData().GetArray("state"))
assert len(values) == columns**2 and set(values) <= {-1.0, 1.0}
assert abs(values.mean() - mean) < 1e-9, (values.mean(), mean)
print("ParaView reads states")
