#!/usr/bin/env bash
# Packs tessera with its MPI and HDF5 libraries into a folder that runs on a machine without them; jobs/gpu.sh starts it there.
#   bash jobs/gpu_pack.sh [BINARY [FOLDER]]      by default target/release/tessera and .gpu
# On a cluster: run it on the login node after jobs/setup.sh and a build, with the modules of the build loaded. libtorch is not packed:
# the other machine has PyTorch of the same version. Open MPI comes with its plugins and mpirun, another MPI as its libraries alone.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=${1:-$root/target/release/tessera}
folder=${2:-$root/.gpu}
[ -x "$binary" ] || { echo "gpu_pack: error: there is no binary $binary; build it first (jobs/test.sh, jobs/run.sh or cargo build --release)" >&2; exit 1; }
rm -rf "$folder"
mkdir -p "$folder"/{bin,lib,plugins,pmix,share,etc}
shopt -s nullglob

# The libraries that a file asks for, as "name path".
libraries() { { ldd "$@" || true; } | sed -nE 's/^\s*(\S+) => (\/\S+) \(.*/\1 \2/p' | sort -u; }
# A folder of Open MPI.
ompi() { ompi_info --path "$1" --parseable | sed "s/^path:$1://"; }

strip -o "$folder/bin/tessera" "$binary"
if command -v ompi_info >/dev/null; then
    for program in mpirun orted prted; do
        cp -L "$(ompi bindir)/$program" "$folder/bin/" 2>/dev/null || true
    done
    cp -L "$(ompi pkglibdir)"/mca_*.so "$folder/plugins/"
    # Networks between machines are not needed on one, and their libraries are large.
    rm -f "$folder"/plugins/*_{ucx,ofi,psm,psm2,openib,uct,usnic}.so
    cp -L "$(ompi pkgdatadir)"/help-*.txt "$folder/share/"
    cp -L "$(ompi sysconfdir)"/*.conf "$folder/etc/" 2>/dev/null || true
fi
pmix=$(libraries "$folder"/plugins/* | sed -n 's/^libpmix.so[^ ]* //p' | head -n 1)
if [ -n "$pmix" ]; then
    cp -L "$(dirname "$(readlink -f "$pmix")")"/pmix/*.so "$folder/pmix/" 2>/dev/null || true
fi

# libtorch, what it brings, and the libraries of C and of the compiler are those of the other machine.
theirs='^(libtorch|libc10|libcuda|libcudart|libcupti|libgomp|libstdc\+\+|libgcc_s|libc\.|libm\.|libmvec|libdl\.|librt\.|libpthread|libutil\.|libresolv|libanl|ld-linux)'
libraries "$folder"/bin/* "$folder"/plugins/* "$folder"/pmix/* | grep -vE "$theirs" | while read -r name path; do
    cp -L "$path" "$folder/lib/$name"
done
printf 'packed %s: %s, as a compressed archive %s KiB\n' "$folder" "$(du -sh "$folder" | cut -f 1)" "$(($(tar -C "$folder" -cz . | wc -c) / 1024))"
