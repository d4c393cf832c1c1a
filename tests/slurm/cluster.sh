#!/usr/bin/env bash
# A SLURM cluster of one node with two fake GPUs on this machine: cluster.sh start|stop FOLDER
# Everything it writes lies in FOLDER; then `export SLURM_CONF=FOLDER/slurm.conf`. Needs root, slurm-wlm and munge; no
# systemd, no cgroups. Memory is scheduled, not enforced.
set -euo pipefail
dir=$2
host=$(hostname -s)
export SLURM_CONF=$dir/slurm.conf

start() {
    mkdir -p "$dir"/{state,spool,log,dev,run}
    # A GPU is a device file to SLURM; these behave like /dev/null.
    for i in 0 1; do [ -e "$dir/dev/gpu$i" ] || mknod -m 666 "$dir/dev/gpu$i" c 1 3; done
    cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.socket
CryptoType=crypto/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
SlurmctldPort=16827
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
MinJobAge=300
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
GresTypes=gpu
NodeName=node1 NodeAddr=127.0.0.1 NodeHostname=$host Port=17011 CPUs=8 RealMemory=32000 Gres=gpu:fake:2
PartitionName=cpu Nodes=node1 Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=node1 MaxTime=INFINITE State=UP
CONF
    cat >"$dir/gres.conf" <<CONF
AutoDetect=off
NodeName=node1 Name=gpu Type=fake File=$dir/dev/gpu[0-1]
CONF
    # A key and socket of its own, so that nothing under /etc or /run is touched.
    (umask 077 && head -c 1024 /dev/urandom >"$dir/munge.key")
    chown munge:munge "$dir/run" "$dir/log" "$dir/munge.key"
    setpriv --reuid=munge --regid=munge --clear-groups munged --force --key-file="$dir/munge.key" \
        --socket="$dir/run/munge.socket" --pid-file="$dir/run/munged.pid" --log-file="$dir/log/munged.log" \
        --seed-file="$dir/run/munged.seed"
    slurmctld
    slurmd -N node1
    for _ in $(seq 30); do
        [ "$(sinfo -h -p cpu -t idle -o %N)" = node1 ] && return
        sleep 1
    done
    echo "cluster.sh: the node did not come up; see $dir/log" >&2
    return 1
}

stop() {
    for daemon in slurmd slurmctld munged; do
        [ ! -e "$dir/run/$daemon.pid" ] || kill "$(cat "$dir/run/$daemon.pid")" || true
    done
}

case $1 in start | stop) "$1" ;; *) echo "usage: cluster.sh start|stop FOLDER" >&2 && exit 2 ;; esac
