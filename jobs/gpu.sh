#!/usr/bin/env bash
# Tries tessera on a GPU and on all cores of one machine that need not have MPI, HDF5 or Rust, only Python with PyTorch of the same version:
#   bash jobs/gpu_pack.sh                      where tessera was built
#   OUT=FOLDER bash jobs/gpu.sh [.gpu]         there, in a copy of the repository; about 6 minutes on 16 cores
# It leaves gpu.md (tables), log.txt (what every command printed) and raw.tar.gz (what the tables are made from) in OUT. A measurement that
# fails is named in gpu.md and the next one begins; after GPU_SECONDS (400) none begins. ONLY='machine|data|200k' measures what its pattern
# names. For a trial elsewhere: ACCELERATOR=cpu takes the processor for the GPU, SMALL=1 shrinks everything.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit
folder=$(realpath "${1:-.gpu}")
out=$(realpath -m "${OUT:-gpu_results}")
work=$(mktemp -d)
raw=$work/raw
accelerator=${ACCELERATOR:-cuda}
small=${SMALL:-}
deadline=${GPU_SECONDS:-400}
cores=$(nproc)
mkdir -p "$out" "$raw"
export root folder out work raw accelerator small cores
trap 'rm -rf "$work"' EXIT

# PyTorch's libraries, then those of NVIDIA's wheels, then the carried ones, then what the machine says (its driver may be there).
libraries=$(python3 - <<'PYTHON'
import glob, importlib.util as find
torch, nvidia = find.find_spec("torch"), find.find_spec("nvidia")
folders = [f"{folder}/lib" for folder in torch.submodule_search_locations]
for folder in nvidia.submodule_search_locations if nvidia else []:
    folders += sorted(glob.glob(f"{folder}/*/lib"))
print(":".join(folders))
PYTHON
) || { echo "gpu: error: python3 has no PyTorch here" >&2; exit 1; }
export libraries=$libraries:$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# Where the carried Open MPI finds its parts. One process alone needs no daemon and no network, ranks of one machine need no ssh.
export OPAL_PREFIX=$folder OPAL_BINDIR=$folder/bin OPAL_PKGLIBDIR=$folder/plugins OPAL_PKGDATADIR=$folder/share OPAL_SYSCONFDIR=$folder/etc
export PMIX_PKGLIBDIR=$folder/pmix HWLOC_PLUGINS_PATH=$folder/etc
export OMPI_MCA_ess_singleton_isolated=1 OMPI_MCA_plm=isolated OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

tessera() { env LD_LIBRARY_PATH="$libraries" "$folder/bin/tessera" "$@"; }
# `ranks N ARGUMENTS`: tessera under mpirun.
ranks() {
    local placing=(--use-hwthread-cpus --bind-to none)
    [ "$1" -le "$cores" ] || placing=(--oversubscribe --bind-to none)
    env LD_LIBRARY_PATH="$libraries" "$folder/bin/mpirun" "${placing[@]}" -n "$1" "$folder/bin/tessera" "${@:2}"
}

# measure NAME SECONDS COMMAND...: runs a function within its time; what it prints goes to log.txt, a failure to failures.txt.
measure() {
    local name=$1 limit=$2 status text
    shift 2
    [[ $name =~ ${ONLY:-.} ]] || return 0
    if [ "$SECONDS" -ge "$deadline" ]; then
        printf '%s\tnot begun after %s s\n' "$name" "$deadline" >>"$raw/failures.txt"
        return 1
    fi
    printf '%4d s  %s\n' "$SECONDS" "$name"
    # shellcheck disable=SC2016 # the inner shell expands it
    timeout -k 5 "$limit" bash -c 'set -euo pipefail; "$@"' - "$@" >"$work/log" 2>&1 </dev/null
    status=$?
    { printf '\n=== %s: %s\n' "$name" "$*"; cat "$work/log"; printf -- '--- status %d, %d s\n' "$status" "$SECONDS"; } >>"$out/log.txt"
    if [ "$status" != 0 ]; then
        printf '        failed with status %d\n' "$status"
        # The last complaints; without any, the last lines.
        text=$({ grep -aE '^tessera: |[Ee]rror' "$work/log" || tail -n 6 "$work/log"; } | tail -n 4 | tr '\n\t' '  ')
        printf '%s\tstatus %d, limit %d s\t%s\n' "$name" "$status" "$limit" "$text" >>"$raw/failures.txt"
    fi
    python3 jobs/gpu_tables.py "$raw" "$out/gpu.md"
    return "$status"
}

machine() {
    {
        nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | sed 's/^/GPU\t/' || true
        sed -n 's/^model name[^:]*: /processor\t/p' /proc/cpuinfo | head -n 1
        printf 'cores\t%s\n' "$cores"
        lscpu | sed -nE 's/^(Thread\(s\) per core|Socket\(s\)|NUMA node\(s\)): +/\1\t/p' || true
        awk '/MemTotal/ { printf "memory\t%.0f GiB\n", $2 / 1048576 }' /proc/meminfo
        python3 -c 'import platform, torch
print("Python, PyTorch, CUDA, cuDNN", f"{platform.python_version()}, {torch.__version__}, {torch.version.cuda}, {torch.backends.cudnn.version()}", sep="\t")'
        tessera --version | sed 's/^tessera /tessera\t/'
    } | tee "$raw/machine.tsv"
    tessera new ising | head -n 1
}

# Two sets of pairs of the quickstart's system: 16 patches of every large snapshot, d = 4.
sizes_200k="simulate.trajectories=125 upsample.shuffled=6250"
sizes_1M="simulate.trajectories=625 upsample.shuffled=31250"
if [ -n "$small" ]; then
    sizes_200k="simulate.trajectories=10 upsample.shuffled=500 truth.trajectories=2"
    sizes_1M="simulate.trajectories=25 upsample.shuffled=1250 truth.trajectories=2"
fi
export sizes_200k sizes_1M
# `chosen PAIRS SETTINGS`: the arguments of a stage after the input.
chosen() {
    local sizes=sizes_$1
    printf -- '--set train.baseline=false %s %s' "${!sizes}" "$2"
}

data() {
    for stage in simulate upsample evolve closure truth; do
        # shellcheck disable=SC2046 # words
        tessera "$stage" inputs/quickstart.toml --out "$work/$1" --device cpu $(chosen "$1" "") | tee -a "$raw/data-$1.txt"
    done
    cp "$work/$1/closure.safetensors" "$raw/data-$1.safetensors"
    for device in cpu accelerator; do cp -r "$work/$1" "$work/$1-$device"; done
}

# run NAME PAIRS SETTINGS cpu|accelerator: train, predict, evaluate and report; the data are there.
run() {
    local device=$4 result=$raw/run-$1-$4
    [ "$device" = cpu ] || device=$accelerator
    mkdir -p "$result"
    printf '%s\n' "$3" >"$raw/run-$1.txt"
    # shellcheck disable=SC2046
    tessera run inputs/quickstart.toml --overwrite --out "$work/$2-$4" --device "$device" $(chosen "$2" "$3") | tee "$result/stages.txt"
    cp "$work/$2-$4"/{training,metrics}.json "$result/"
}

# closure cpu|accelerator: the autoencoder alone, on copies of the pairs.
closure() {
    local device=$1
    [ "$device" = cpu ] || device=$accelerator
    cp -r "$work/200k" "$work/closure-$1"
    # shellcheck disable=SC2046
    tessera closure inputs/quickstart.toml --overwrite --out "$work/closure-$1" --device "$device" $(chosen 200k closure.epochs=3) | tee "$raw/closure-$1.txt"
    cp "$work/closure-$1/closure.safetensors" "$raw/closure-$1.safetensors"
}

# shared N: one model on N ranks that share the accelerator. Their number changes no choice, so the last result is taken away first.
shared() {
    mkdir -p "$raw/shared-$1"
    rm -f "$work/200k-accelerator/training.json"
    # shellcheck disable=SC2046
    ranks "$1" train inputs/quickstart.toml --overwrite --out "$work/200k-accelerator" --device "$accelerator" --threads 1 \
        $(chosen 200k "train.fit.batch=65536 train.fit.epochs=10")
    cp "$work/200k-accelerator/training.json" "$raw/shared-$1/"
}

# threads PAIRS SETTINGS BATCH N: the epochs of a training on N threads, begun anew likewise.
threads() {
    local result=$raw/threads-$1-$3-$4
    mkdir -p "$result"
    rm -f "$work/$1-cpu/training.json"
    # shellcheck disable=SC2046
    tessera train inputs/quickstart.toml --overwrite --out "$work/$1-cpu" --device cpu --threads "$4" $(chosen "$1" "$2")
    cp "$work/$1-cpu/training.json" "$result/"
}

reference() { python3 jobs/gpu_reference.py --mode "$1" --device "$accelerator" ${small:+--small} | tee -a "$raw/reference.jsonl"; }
scaling() { ranks "$1" scaling "${@:3}" | tee -a "$raw/scaling-$2.jsonl"; }
scaling_threads() { tessera scaling --threads "$1" "${@:3}" | tee -a "$raw/scaling-$2-threads.jsonl"; }
bench() { tessera bench --json | tee "$raw/bench.jsonl"; }
export -f tessera ranks machine chosen data run closure shared threads reference scaling scaling_threads bench

measure "machine" 60 machine
measure "data, 200k pairs" 60 data 200k
measure "data, 1M pairs" 90 data 1M
epochs=20
few=5
if [ -n "$small" ]; then epochs=4 few=3; fi
limit=60
while read -r name pairs settings; do
    # After a failure there (it may hang) little time is risked.
    measure "$name on accelerator" "$limit" run "$name" "$pairs" "$settings" accelerator || limit=20
    measure "$name on cpu" 60 run "$name" "$pairs" "$settings" cpu
done <<CONFIGURATIONS
200k-1024 200k train.fit.batch=1024 train.fit.epochs=$epochs
200k-65536 200k train.fit.batch=65536 train.fit.epochs=$epochs
1M-1024 1M train.fit.batch=1024 train.fit.epochs=$few
1M-65536 1M train.fit.batch=65536 train.fit.epochs=$epochs
1M-whole 1M train.fit.batch=1000000 train.fit.epochs=$epochs
onsager-float64 200k train.fit.batch=16384 train.fit.epochs=$few train.model.drift="onsager" train.fit.precision="float64"
CONFIGURATIONS
for mode in eager graph compile; do
    measure "PyTorch, $mode" 60 reference "$mode"
done
measure "closure on accelerator" 40 closure accelerator
measure "closure on cpu" 40 closure cpu
for count in 1 2; do
    measure "$count rank(s) on one accelerator" 40 shared "$count"
done

counts=$(for count in 1 2 4 8 16 32 64; do if [ "$count" -le "$cores" ]; then echo "$count"; fi; done)
side=4096 part=1024
if [ -n "$small" ]; then side=1024 part=512; fi
timeout 20 bash -c 'ranks 2 scaling --side 256 --sweeps 5' >>"$out/log.txt" 2>&1 </dev/null
ranks_work=$?
for count in $counts; do
    if [ "$ranks_work" = 0 ]; then
        measure "strong scaling, $count rank(s)" 40 scaling "$count" strong --side "$side" --sweeps 10
        measure "weak scaling, $count rank(s)" 40 scaling "$count" weak --side "$part" --sweeps 20 --weak
    else
        measure "scaling, $count thread(s)" 40 scaling_threads "$count" strong --side "$side" --sweeps 10
    fi
done
for count in $counts; do
    measure "training on $count thread(s), batch 1024" 30 threads 200k "train.fit.batch=1024 train.fit.epochs=5" 1024 "$count"
    measure "training on $count thread(s), batch 65536" 40 threads 1M "train.fit.batch=65536 train.fit.epochs=4" 65536 "$count"
done
measure "bench" 90 bench

python3 jobs/gpu_tables.py "$raw" "$out/gpu.md"
tar -C "$work" -czf "$out/raw.tar.gz" raw
printf '%4d s  %s\n' "$SECONDS" "done"
