# Shared by the sandboxes (sourced, not run): waiting, and a cgroup of one's own.

sandbox_die() { echo "${0##*/}: $*" >&2; exit 69; }

wait_for() { # COMMAND…: until it succeeds, at most 20 s
  local until=$((SECONDS + 20))
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS > until)); then sandbox_die "not ready within 20 s: $*"; fi
    sleep 0.01
  done
}

systemd_on_bus() { # --user | --system: it answers over D-Bus (systemctl would also talk to its private socket)
  busctl "$1" --auto-start=no get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager Version
}

own_cgroups() { # The folder of this process in each cgroup hierarchy (version 1 and 2), one a line
  local id names path mount
  while IFS=: read -r id names path; do
    for mount in "/sys/fs/cgroup/${names#name=}" /sys/fs/cgroup/unified /sys/fs/cgroup; do
      if [ -n "$names" ] && [ "$mount" != "/sys/fs/cgroup/${names#name=}" ]; then continue; fi
      if [ -e "$mount/cgroup.procs" ]; then echo "$mount${path%/}"; break; fi
    done
  done </proc/self/cgroup
}

enter_cgroup() { # Moves this process into a new cgroup. Where they are read-only it stays: fine for one sandbox at a time
  sandbox_cgroup=dixmgr-sandbox-$$
  mapfile -t sandbox_cgroups < <(own_cgroups)
  local folder
  for folder in "${sandbox_cgroups[@]}"; do
    mkdir "$folder/$sandbox_cgroup" 2>/dev/null && echo $$ 2>/dev/null >"$folder/$sandbox_cgroup/cgroup.procs" || true
  done
}

leave_cgroup() { # Moves this process back, and removes the cgroup once its last process has died
  local folder tries=0
  for folder in "${sandbox_cgroups[@]}"; do
    echo $$ 2>/dev/null >"$folder/cgroup.procs" || true
    until [ ! -d "$folder/$sandbox_cgroup" ] || ((tries++ > 200)); do
      find "$folder/$sandbox_cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null || sleep 0.01
    done
  done
}
