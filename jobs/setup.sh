#!/usr/bin/env bash
# Prepares a machine to build tessera: MPI, parallel HDF5, libclang, Rust, the crates and libtorch.
# Idempotent. Uses what is there (a cluster's modules, a user's LIBTORCH) and installs only what is missing.
# It ends by writing <cache>/env.sh, which run.sh and test.sh source; see docs/running.md, "Set-up".
set -euo pipefail

torch_version=2.11.0
cuda_version='13.0.*'
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${TESSERA_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME, or TESSERA_CACHE to a folder to keep libtorch in}/.cache}/tessera}
libtorch=${LIBTORCH:-$cache/libtorch-$torch_version}
mkdir -p "$cache"

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }
offline="Without internet: load your cluster's modules or ask an administrator for the system packages, install Rust from its offline installer, set LIBTORCH to an unpacked libtorch $torch_version, and copy the crates that 'cargo vendor' fetches on another machine (docs/running.md, Set-up)"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "these system packages are missing and sudo is not available: ${missing[*]}. Load your cluster's modules for MPI and parallel HDF5 (so that mpicc and h5pcc are on PATH), set LIBCLANG_PATH and LIBTORCH to what there is, or ask an administrator."
    fi
}

# The folder of a parallel HDF5: HDF5_DIR, else that of a module's h5pcc, else Debian's Open MPI flavour.
find_hdf5() {
    if [ -n "${HDF5_DIR:-}" ]; then echo "$HDF5_DIR"; return; fi
    local wrapper debian
    wrapper=$(command -v h5pcc || true)
    debian=/usr/lib/$(uname -m)-linux-gnu/hdf5/openmpi
    if [ -n "$wrapper" ] && [ "$(dirname "$wrapper")" != /usr/bin ]; then dirname "$(dirname "$wrapper")"
    elif [ -e "$debian/lib/libhdf5.so" ]; then echo "$debian"; fi
}

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib*/llvm-*/lib/libclang[.-][0-9s]*' >/dev/null || ldconfig -p 2>/dev/null | grep -qE 'libclang(-[0-9.]+)?\.so'
}

install_system_packages() {
    missing=()
    { command -v cc && command -v c++; } >/dev/null || missing+=(build-essential)
    command -v pkg-config >/dev/null || [ -n "${HDF5_DIR:-}" ] || missing+=(pkg-config)
    rust_is_new_enough || command -v curl >/dev/null || missing+=(curl ca-certificates)
    command -v mpicc >/dev/null || missing+=(libopenmpi-dev)
    command -v mpirun >/dev/null || command -v srun >/dev/null || missing+=(openmpi-bin)
    [ -n "$(find_hdf5)" ] || missing+=(libhdf5-openmpi-dev)
    command -v h5diff >/dev/null || [ -n "${HDF5_DIR:-}" ] || missing+=(hdf5-tools)
    has_libclang || missing+=(libclang-dev clang)
    has_libtorch || python3 -m pip --version >/dev/null 2>&1 || missing+=(python3 python3-pip)
    if [ ${#missing[@]} -eq 0 ]; then return; fi
    command -v apt-get >/dev/null || fail "missing: ${missing[*]} (Debian names), and this system has no apt-get. Install them or load your cluster's modules, then run this again."
    say "installing system packages: ${missing[*]}"
    as_root apt-get update -qq || fail "apt-get update failed. $offline."
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$cache/apt.log" 2>&1 ||
        { tail -n 20 "$cache/apt.log" >&2; fail "apt-get failed; the whole log is $cache/apt.log. $offline."; }
}

# Whether cargo is at least the rust-version of Cargo.toml; a distribution's is often older.
rust_is_new_enough() {
    [ -x "$HOME/.cargo/bin/cargo" ] && PATH="$HOME/.cargo/bin:$PATH"
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    found=$(rustc --version 2>/dev/null | cut -d' ' -f2)
    [ -n "$found" ] && command -v cargo >/dev/null && [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ]
}

install_rust() {
    if rust_is_new_enough; then return; fi
    if command -v rustup >/dev/null; then
        say "updating Rust"
        rustup update stable || fail "Rust could not be updated. $offline."
    else
        say "installing Rust with rustup"
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile default --no-modify-path ||
            fail "Rust could not be downloaded. $offline."
    fi
    PATH="$HOME/.cargo/bin:$PATH"
    rust_is_new_enough || fail "Rust is $(rustc --version 2>&1); Cargo.toml names the version that is needed. Install it with rustup."
}

# The crates are fetched here, where advice follows, and not by the build. The .cargo/config.toml of the root may name
# a folder of vendored ones.
fetch_crates() {
    (cd "$root" && cargo fetch --quiet --locked --target "$(rustc -vV | sed -n 's/^host: //p')") ||
        fail "the crates could not be downloaded. $offline."
}

has_libtorch() {
    [ -e "$libtorch/lib/libtorch_cpu.so" ] && [ -e "$libtorch/include/torch/csrc/api/include/torch/torch.h" ]
}

# libtorch for CPU out of the PyPI wheel; the two CUDA run-time stubs are what libtorch_cpu.so itself links to.
install_libtorch() {
    if has_libtorch; then return; fi
    [ -z "${LIBTORCH:-}" ] || fail "LIBTORCH=$LIBTORCH holds no lib/libtorch_cpu.so with headers. Point it at a libtorch $torch_version or unset it."
    say "downloading libtorch $torch_version (CPU) into $libtorch"
    local work part
    work=$(mktemp -d -p "$cache")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: -d "$work" \
        --python-version 311 --implementation cp --abi cp311 --abi none --platform "manylinux_2_28_$(uname -m)" \
        --platform "manylinux2014_$(uname -m)" --platform "manylinux_2_25_$(uname -m)" --platform any \
        "torch==$torch_version" "nvidia-cuda-cupti==$cuda_version" "nvidia-cuda-runtime==$cuda_version" ||
        fail "libtorch could not be downloaded. $offline."
    part=$work/libtorch
    mkdir -p "$part/lib"
    python3 - "$work" "$part" <<'PYTHON'
import pathlib, shutil, sys, zipfile
work, part = map(pathlib.Path, sys.argv[1:])
keep = {"libtorch.so", "libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcupti.so.13", "libcudart.so.13"}
for wheel in work.glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith("/"):
                continue
            if name.startswith("torch/include/"):
                target = part / name[len("torch/"):]
            elif name.rsplit("/", 1)[-1] in keep:
                target = part / "lib" / name.rsplit("/", 1)[-1]
            else:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink)
found = {path.name for path in (part / "lib").iterdir()}
if found != keep:
    sys.exit(f"the wheels lack {sorted(keep - found)}")
PYTHON
    rm -rf "$libtorch"
    mv "$part" "$libtorch"
}

write_environment() {
    local hdf5
    hdf5=$(find_hdf5)
    {
        echo "export PATH=\"$(dirname "$(command -v cargo)"):\$PATH\""
        echo "export HDF5_DIR=\"$hdf5\""
        echo "export LIBTORCH=\"$libtorch\""
        echo "export LIBTORCH_BYPASS_VERSION_CHECK=1"
        if [ "$(id -u)" = 0 ]; then
            echo "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
        fi
    } >"$cache/env.sh.new"
    mv "$cache/env.sh.new" "$cache/env.sh"
    say "MPI       $(mpicc --version 2>/dev/null | head -n 1) ($(command -v mpicc))"
    say "HDF5      $hdf5"
    say "Rust      $(cargo --version)"
    say "libtorch  $libtorch"
}

install_system_packages
install_rust
fetch_crates
install_libtorch
write_environment
