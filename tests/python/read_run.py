"""Opens the files of a run directory with xarray, h5netcdf and netCDF4. Any warning is an error.

    read_run.py RUN
"""

import pathlib
import sys
import warnings

import h5netcdf
import h5py
import netCDF4
import xarray

run = pathlib.Path(sys.argv[1])
warnings.simplefilter("error")
for path in sorted(run.glob("*.h5")):
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        phony = [name for name in data.dims if "phony" in name]
        assert not phony, (path.name, phony)
        for name, variable in data.variables.items():
            if name not in ("observable", "component"):
                assert variable.attrs["units"] and variable.attrs["long_name"], (path.name, name)
        assert isinstance(data.attrs["input"], str) and int(data.attrs["seed"]) == 3, data.attrs
        assert not any(isinstance(value, bytes) for value in data.attrs.values())
        data.load()
    with netCDF4.Dataset(path) as data:
        for variable in data.variables.values():
            variable[...]
    with h5netcdf.File(path, "r") as data:
        for variable in data.variables.values():
            variable[...]
    with h5py.File(path) as data:
        scales = [name for name in data if data[name].is_scale]
        assert scales, path.name
        for name in data:
            if name not in scales:
                assert all(len(dimension) == 1 for dimension in data[name].dims), (path.name, name)

with xarray.open_dataset(run / "truth.h5", engine="h5netcdf") as truth:
    assert truth.observables.dims == ("trajectory", "time", "observable")
    assert {"start", "time", "observable", "word"} <= set(truth.coords), truth.coords
    assert truth.time.attrs["units"] and float(truth.time[-1]) > 0
    first = str(truth.observable.values[0])
    series = truth.observables.sel(observable=first)
    mean = series.groupby("start").mean()
    assert set(mean.start.values) == set(truth.start.values)
with xarray.open_dataset(run / "prediction.h5", engine="h5netcdf") as prediction:
    assert prediction.ours.dims == ("model", "trajectory", "time", "component"), prediction.ours.dims
    assert list(prediction.model.values) == [1, 2]
    chosen = prediction.ours.sel(model=1, component=first).isel(time=0)
    # Predictions start from the states of the direct simulation.
    start = truth.observables.sel(observable=first).isel(time=0).values
    repeats = chosen.sizes["trajectory"] // len(start)
    assert abs(chosen.values.reshape(-1, repeats)[:, 0] - start).max() < 1e-6
    if "condition" in truth:
        assert list(prediction.condition.values[::repeats]) == list(truth.condition.values)
print("files are read")
