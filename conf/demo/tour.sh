#!/usr/bin/env bash
# The demo itself, beside a systemd that has been chosen: run by demo.sh, with the executable in $DIXMGR,
# and $PRIVATE set if that systemd ends with the demo.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

here=$root/conf/demo
units=$XDG_RUNTIME_DIR/systemd/user # gone with the next boot, should this script not live to remove them
services=(db api web flaky)
state=$(mktemp -d "${TMPDIR:-/tmp}/dixmgr-demo.XXXXXX")
scratch=$XDG_RUNTIME_DIR/dixmgr-demo # of the flaky unit
log=$state/dixmgr.log
dixmgr='' reader='' # processes

unit() { echo "dixmgr-demo-$1.service"; }
ctl() { systemctl --user "$@"; }
property() { ctl show --value -p "$2" "$(unit "$1")"; } # SERVICE PROPERTY
came_up() { date -d "$(TZ=UTC LC_ALL=C ctl show --value --timestamp=us -p ActiveEnterTimestamp "$(unit "$1")")" +%s%6N; } # µs
status() { "$DIXMGR" status --state-dir "$state" "$@"; }
running() { compgen -G "$state/*/running.json" >/dev/null; }
told() { sed -n "s/^ *\"$1\": \"\(.*\)\".*/\1/p" "$state"/*/running.json; } # a word of running.json
all_healthy() { [ "$(status 2>/dev/null | grep -c '^[^ ]* *healthy ')" = ${#services[@]} ]; }
runs_anew() { [ "$(property "$1" ActiveState)" = active ] && [ "$(property "$1" MainPID)" != "$2" ]; } # SERVICE PID
recovered() { status "$1" | grep -q 'healthy .*last failure'; }

show_log() { # dixmgr's own words, with the time of day and without the module
  sed -u -E "s/^[0-9-]+T([0-9:]+\.[0-9]{3})[0-9]*Z +/\1 /; s/ [a-z_:]+: / /; s/^/   $dim| /; s/$/$plain/"
}

wait_until() { # SECONDS WHAT COMMAND…
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    if ! kill -0 "$dixmgr" 2>/dev/null; then die "dixmgr has ended; its last words: $(tail -n 3 "$log")"; fi
    if ((SECONDS > until)); then die "$what: not in time; see above for what dixmgr said"; fi
    sleep 0.05
  done
}

clean_up() {
  trap '' INT TERM HUP
  local pid service
  heading "cleaning up"
  # The log first, which has nothing more to tell, then dixmgr, which would bring up again what is stopped.
  for pid in $reader $dixmgr; do kill "$pid" && wait "$pid" || true; done 2>/dev/null
  if [ -z "${PRIVATE:-}" ]; then # a private systemd takes its units with it
    for service in "${services[@]}"; do
      ctl stop "$(unit "$service")" || true
      ctl reset-failed "$(unit "$service")" || true
      rm -f "$units/$(unit "$service")"
    done 2>/dev/null
    ctl daemon-reload || true
  fi
  rm -rf "$state" "$scratch"
  note "units, processes and state are gone"
}

start() {
  mkdir -p "$units"
  rm -rf "$scratch" && mkdir "$scratch"
  cp "$here"/units/*.service "$units/"
  ctl daemon-reload
  # In a session of its own: Ctrl-C reaches this script alone, which ends it in order. Should this script be killed,
  # the kernel ends dixmgr, and that its Temporal server.
  setsid setpriv --pdeathsig TERM "$DIXMGR" up -conf "$here/dixmgr.toml" -state-dir "$state" 2>"$log" & dixmgr=$!
  setsid tail -n +1 -f "$log" 2>/dev/null > >(trap '' INT; show_log) & reader=$!
  wait_until 1200 "the Temporal server" running
  wait_until 60 "all services healthy" all_healthy
}

show_order() {
  local first='' at service
  heading "all are healthy; the order in which systemd saw them come up"
  for service in "${services[@]}"; do
    echo "$(came_up "$service") $service"
  done | sort -n | while read -r at service; do
    first=${first:-$at}
    note "$(printf '%+7d ms  %-6s %s' $(((at - first) / 1000)) "$service" "$(sed -n "/services.$service]/,/^$/s/^after = /after /p" "$here/dixmgr.toml")")"
  done
}

kill_one() { # SERVICE
  local service=$1 pid killed took
  pid=$(property "$service" MainPID)
  heading "kill -9 $pid, the main process of $service"
  killed=${EPOCHREALTIME//[.,]/}
  kill -9 "$pid"
  wait_until 30 "$service running again" runs_anew "$service" "$pid"
  took=$((($(came_up "$service") - killed + 500) / 1000))
  wait_until 30 "the workflow of $service knowing it" recovered "$service"
  echo "   $green$bold$service was running again $took ms after the kill$plain, as process $(property "$service" MainPID) (by systemd's time stamp)"
  note "its workflow says:"
  status "$service" | sed 's/^/   /'
}

show_where() {
  heading "where to look"
  note "Temporal UI   $(told ui)/namespaces/demo/workflows   one workflow per service"
  note "metrics       $(told admin)/metrics"
}

invite() {
  local word temporal
  temporal=$(type -P temporal || echo "${DIXMGR_TEMPORAL:-temporal}")
  heading "try it, in another terminal"
  note "$DIXMGR status --state-dir $state"
  note "$DIXMGR restart db --state-dir $state"
  note "$DIXMGR pause api --state-dir $state      then kill it: nobody brings it back, until"
  note "$DIXMGR resume api --state-dir $state"
  note "$temporal workflow query --address $(told temporal) --namespace demo --type status --workflow-id wf.svc.api"
  note "curl -s $(told admin)/metrics | grep dixmgr_service"
  if ! [ -t 0 ]; then
    note "Ctrl-C ends the demo"
    wait "$dixmgr" || die "dixmgr has ended"
  fi
  while echo && read -r -p "   Name a service to kill it (${services[*]}), Enter for the status, Ctrl-C to end: " word; do
    case " ${services[*]} " in
      "  $word  " | *"  "*) ;;
      *" $word "*) kill_one "$word"; continue ;;
    esac
    status
  done
}

trap 'exit 130' INT TERM HUP
trap clean_up EXIT
heading "starting dixmgr with a Temporal server of its own, and nothing else running"
start
show_order
kill_one api
show_where
if [ -z "${ONCE:-}" ]; then invite; fi
