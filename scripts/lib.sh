# Sourced by the scripts, not run: where things are, how to speak, how to install.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
tools=$target/tools # what no package brings is built into $tools/bin, and stays out of the machine
temporal_version=v1.5.1

export PATH=$PATH:$tools/bin:${CARGO_HOME:-$HOME/.cargo}/bin:/usr/local/go/bin:${GOPATH:-$HOME/go}/bin:/usr/sbin:/sbin

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' dim='' green='' red='' plain=''
fi

heading() { echo; echo "$bold== $*$plain"; }
note() { echo "   $*"; }
die() { echo "$red${0##*/}: $*$plain" >&2; exit 1; }
has() { command -v "$1" >/dev/null; }

as_root() { if [ "$EUID" = 0 ]; then "$@"; else sudo "$@"; fi; }
may_be_root() { [ "$EUID" = 0 ] || { has sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; }; }

apt_install() { # PACKAGE…
  note "installing with apt: $*"
  has apt-get && may_be_root || die "these packages are missing, and apt or the right to use it too: $*"
  as_root apt-get update -q >/dev/null
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" | grep -E '^(Setting up|E:)' || true
}

need() { # PROGRAM=PACKAGE[,PACKAGE]…: installs the packages of the programs that are missing
  local pair packages missing=()
  for pair in "$@"; do
    IFS=, read -ra packages <<<"${pair#*=}"
    if ! has "${pair%%=*}"; then missing+=("${packages[@]}"); fi
  done
  if ((${#missing[@]})); then apt_install "${missing[@]}"; fi
  for pair in "$@"; do
    has "${pair%%=*}" || die "still no ${pair%%=*} after installing ${pair#*=}"
  done
}

unpack() { # PACKAGE FILE [FOLDER]: a program out of a Debian package, which is not installed: it would start its service. What it needs in FOLDER goes there
  note "taking ${2##*/} out of Debian's package $1"
  local folder status=0
  folder=$(mktemp -d)
  chmod 755 "$folder"
  fetch() { (cd "$folder" && apt-get download -q "$1") >/dev/null 2>&1; }
  if fetch "$1" || { may_be_root && as_root apt-get update -q >/dev/null 2>&1 && fetch "$1"; }; then
    mkdir -p "$tools/bin"
    dpkg-deb --extract "$folder"/*.deb "$folder" && cp "$folder/$2" "$tools/bin/" || status=1
    if [ -n "${3:-}" ]; then as_root mkdir -p "/$3" && as_root cp -rn "$folder/$3/." "/$3/" || status=1; fi
  else
    status=1
  fi
  rm -rf "$folder"
  return "$status"
}

need_rust() {
  has cargo || die "no cargo: install Rust with https://rustup.rs"
  need cc=gcc,libc6-dev
}

slowly() { # WHAT COMMAND…: runs it, and says every half minute that it goes on; its output shows only if it fails
  local what=$1 log status=0 from=$SECONDS ticker
  shift
  log=$(mktemp)
  (while sleep 30; do note "$what: $((SECONDS - from)) s"; done) & ticker=$!
  "$@" >"$log" 2>&1 || status=$?
  kill "$ticker" 2>/dev/null
  wait "$ticker" 2>/dev/null || true
  if ((status)); then tail -n 30 "$log" >&2; fi
  rm -f "$log"
  return "$status"
}
