#!/usr/bin/env bash
# Installs what the tests need beyond Rust, if it is missing: systemd and a bus, pidstat, PostgreSQL, a mail server, promtool,
# Alertmanager, a Temporal server. Packages come with apt; the last three go into target/tools. Nothing is started.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

get_temporal() {
  local cached=${XDG_CACHE_HOME:-$HOME/.cache}/dixmgr/temporal-$temporal_version # where `dixmgr up` keeps its own
  mkdir -p "$tools/bin"
  if [ -x "$cached" ]; then ln -s "$cached" "$tools/bin/temporal" && return; fi
  has go || die "no temporal on the PATH, and no Go to build it with"
  note "building the Temporal CLI, which carries a server, with go install: about 3 minutes"
  GOBIN=$tools/bin slowly "building Temporal" go install "github.com/temporalio/cli/cmd/temporal@$temporal_version" ||
    die "go install has failed"
}

# Debian's package makes a cluster and starts it. The tests start servers of their own, from the same programs.
need_postgres() {
  local conf=/etc/postgresql-common/createcluster.conf kept
  if has postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; then return; fi
  apt_install postgresql-common
  kept=$(mktemp)
  cp "$conf" "$kept"
  as_root sed -i 's/^#* *create_main_cluster *=.*/create_main_cluster = false/' "$conf"
  apt_install postgresql
  as_root cp "$kept" "$conf"
  rm -f "$kept"
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || die "still no postgres after installing postgresql"
}

heading "what the tests need"
need_rust
need systemctl=systemd dbus-daemon=dbus unshare=util-linux setpriv=util-linux ip=iproute2 python3=python3-minimal \
  ps=procps pidstat=sysstat
need_postgres
/usr/bin/python3 -c "import aiosmtpd" 2>/dev/null || apt_install python3-aiosmtpd
if ! has prometheus-alertmanager || [ ! -e /usr/share/prometheus/alertmanager/default.tmpl ]; then
  unpack prometheus-alertmanager usr/bin/prometheus-alertmanager usr/share/prometheus/alertmanager || die "no prometheus-alertmanager"
fi
has promtool || unpack prometheus usr/bin/promtool || die "no promtool: it is in the package prometheus"
has temporal || get_temporal
note "$(systemctl --version | head -n 1), $(promtool --version 2>&1 | head -n 1 | cut -d' ' -f1-3), $(temporal --version)"
