#!/usr/bin/env bash
# A Slurm cluster of one node on this machine, from the daemons of the distribution (Debian: slurm-wlm and munge), for
# tests and trials. All of its files are in FOLDER.
#
#     bash tests/slurm/cluster.sh start FOLDER     then: export SLURM_CONF=FOLDER/slurm.conf
#     bash tests/slurm/cluster.sh crash FOLDER     the node dies with all of its jobs' processes
#     bash tests/slurm/cluster.sh boot FOLDER      and comes back
#     bash tests/slurm/cluster.sh stop FOLDER
set -euo pipefail
verb=${1:?usage: cluster.sh start|crash|boot|stop FOLDER}
folder=$(realpath -m "${2:?usage: cluster.sh start|crash|boot|stop FOLDER}")
export SLURM_CONF=$folder/slurm.conf PATH=$PATH:/usr/sbin:/sbin
user=$(id -un)
host=$(hostname -s)

# The number in a file of a process; 0 without one.
pid() { cat "$folder/$1.pid" 2>/dev/null || echo 0; }

# Whether the node is in a state like this.
node_is() { sinfo --noheader --format=%T 2>/dev/null | grep --quiet --extended-regexp "$1"; }

# The processes that look after a step each.
steps_of_this_cluster() {
    pgrep --full 'slurmstepd: \[' | while read -r step; do
        if grep --quiet --null-data "SLURM_CONF=$SLURM_CONF" "/proc/$step/environ" 2>/dev/null; then echo "$step"; fi
    done
}

# All processes below one.
descendants() {
    local child
    for child in $(pgrep --parent "$1"); do
        echo "$child"
        descendants "$child"
    done
}

# Waits for a condition, a minute at most.
wait_for() {
    for _ in $(seq 300); do
        if "$@"; then return 0; fi
        sleep 0.2
    done
    echo "cluster.sh: $* did not come true within a minute; see $folder/*.log" >&2
    return 1
}

configure() {
    mkdir -p "$folder/spool" "$folder/state"
    chmod 755 "$folder"
    head -c 128 /dev/urandom >"$folder/munge.key"
    chmod 400 "$folder/munge.key"
    local ports=$((20000 + RANDOM % 20000))
    cat >"$SLURM_CONF" <<EOF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ports
SlurmdPort=$((ports + 1))
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=10
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
MpiDefault=pmix
ReturnToService=2
SlurmdTimeout=10
SchedulerParameters=bf_interval=1,sched_min_interval=1
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF
    echo "PMIxCliTmpDirBase=$folder/spool" >"$folder/mpi.conf"
}

case $verb in
    start)
        configure
        munged --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munge.pid" \
            --log-file="$folder/munge.log" --seed-file="$folder/munge.seed" --force 2>/dev/null
        slurmctld
        slurmd
        wait_for node_is '^idle'
        ;;
    crash)
        # All at once, and first those who would report an end: a slurmstepd that sees its processes killed tells the
        # controller that the job failed, which is not requeued. A node without power tells nothing.
        steps=$(steps_of_this_cluster)
        # shellcheck disable=SC2046,SC2086
        kill -9 "$(pid slurmd)" $steps $(for step in $steps; do descendants "$step"; done) 2>/dev/null || true
        wait_for node_is '^down'
        ;;
    boot)
        # Its memory is empty. What PMIx left of a step would keep the same step from starting again.
        rm -rf "$folder"/spool/*
        slurmd
        wait_for node_is '^(idle|mixed|allocated)'
        ;;
    stop)
        for daemon in slurmd slurmctld munge; do
            kill "$(pid "$daemon")" 2>/dev/null || true
        done
        ;;
    *)
        echo "usage: cluster.sh start|crash|boot|stop FOLDER" >&2
        exit 2
        ;;
esac
