#!/usr/bin/env bash
# Makes a Debian machine (Raspberry Pi OS, x86 box) a shop's gateway, or adds devices to one. Run it again at any time: what is
# there already stays as it is. docs/howto/gateway.md walks through it.
set -euo pipefail
umask 022

usage() {
  cat <<'TEXT'
usage: install.sh --gateway ID --store ID [options]     first time
       install.sh [--device ID]… [options]              later: renew files, add devices
       install.sh --remove-device ID                    take a device's credentials away
       install.sh --uninstall [--purge]                 take all away; --purge: data, keys and settings too

  --gateway ID, --store ID   as they were added at the centre
  --central URL              the centre; without it the shop works alone
  --key-file FILE            this gateway's key (`shelfloop central gateway add --key-file FILE`)
  --central-ca FILE          CA certificate of the centre, where the system does not trust it anyway
  --device ID                a till, shelf, label base, … that speaks MQTT: gets a password of its own; may be repeated
  --host NAME                how devices call this machine, besides its host name; may be repeated
  --ca FILE --cert FILE --cert-key FILE   certificates of your own; without them a CA is made here by `shelfloop ca`
  --page-host ADDRESS        where the shop's page listens (default 127.0.0.1; 0.0.0.0: for the shop's network)
  --serial                   prepare the bridge for serial devices (needs /etc/shelfloop/bridge.toml)
  --program-is-there         /opt/shelfloop holds the program already: install no packages into it
  --no-apt                   install no Debian packages
  --no-start                 write the files, start nothing
TEXT
}

ETC=/etc/shelfloop STATE=/var/lib/shelfloop PROGRAM=/opt/shelfloop BROKER=/etc/mosquitto/shelfloop
UNITS=/etc/systemd/system PAGE_PORT=8703
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

gateway='' store='' central='' key_file='' central_ca='' page_host=127.0.0.1
ca='' cert='' cert_key='' serial='' program_is_there='' apt=yes start=yes uninstall='' purge=''
devices=() removed=() hosts=()

trap 'rm -rf /tmp/shelfloop-build.$$' EXIT
fail() { echo "install.sh: $*" >&2; exit 78; }
say() { echo "install.sh: $*"; }

while [ $# -gt 0 ]; do
  case $1 in
    --gateway | --store | --central | --key-file | --central-ca | --device | --remove-device | --host | --ca | --cert | --cert-key | --page-host)
      [ $# -ge 2 ] || fail "$1 needs a value" ;;
  esac
  case $1 in
    --gateway) gateway=$2; shift ;;
    --store) store=$2; shift ;;
    --central) central=$2; shift ;;
    --key-file) key_file=$2; shift ;;
    --central-ca) central_ca=$2; shift ;;
    --device) devices+=("$2"); shift ;;
    --remove-device) removed+=("$2"); shift ;;
    --host) hosts+=("$2"); shift ;;
    --ca) ca=$2; shift ;;
    --cert) cert=$2; shift ;;
    --cert-key) cert_key=$2; shift ;;
    --page-host) page_host=$2; shift ;;
    --serial) serial=yes ;;
    --program-is-there) program_is_there=yes ;;
    --no-apt) apt='' ;;
    --no-start) start='' ;;
    --uninstall) uninstall=yes ;;
    --purge) purge=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; fail "no option $1" ;;
  esac
  shift
done

check() {
  [ "$(id -u)" = 0 ] || fail "must be run by root: sudo $0 …"
  [ -z "$purge" ] || [ -n "$uninstall" ] || fail "--purge goes with --uninstall"
  if [ -z "$uninstall" ] && [ ! -e $ETC/edge.toml ]; then
    [ -n "$gateway" ] && [ -n "$store" ] || fail "--gateway and --store are needed the first time"
    [ -z "$central" ] || [ -n "$key_file" ] || fail "--central needs --key-file: \`shelfloop central gateway add\` writes it"
  fi
  local id
  for id in ${gateway:+"$gateway"} ${store:+"$store"} "${devices[@]}" "${removed[@]}"; do
    [[ $id =~ ^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$ ]] || fail "id '$id': takes a-z, 0-9 and -, at most 64"
  done
  for id in "${devices[@]}"; do
    [ "$id" != gateway ] && [ "$id" != bridge-1 ] || fail "id '$id' is the gateway's own; call the device otherwise"
  done
  for id in "$key_file" "$central_ca" "$ca" "$cert" "$cert_key"; do
    [ -z "$id" ] || [ -r "$id" ] || fail "$id: no such file"
  done
  [ -z "$cert$cert_key$ca" ] || { [ -n "$cert" ] && [ -n "$cert_key" ] && [ -n "$ca" ]; } ||
    fail "--ca, --cert and --cert-key go together"
}

# put MODE OWNER TARGET: standard input becomes TARGET, only when it differs; whole or not at all.
put() {
  local mode=$1 owner=$2 target=$3 beside
  beside=$(mktemp "$(dirname "$target")/.$(basename "$target").XXXXXX")
  cat > "$beside"
  chmod "$mode" "$beside"; chown "$owner" "$beside"
  if cmp -s "$beside" "$target" && [ "$(stat -c '%a %U:%G' "$target")" = "$(stat -c '%a %U:%G' "$beside")" ]; then
    rm "$beside"
  else
    sync "$beside"; mv -f "$beside" "$target"; changed=yes
  fi
}

packages() {
  local missing=()
  command -v mosquitto > /dev/null || [ -x /usr/sbin/mosquitto ] || missing+=(mosquitto)
  python3 -c 'import venv, ensurepip' 2> /dev/null || [ -n "$program_is_there" ] || missing+=(python3-venv)
  [ ${#missing[@]} = 0 ] && return
  [ -n "$apt" ] && command -v apt-get > /dev/null || fail "these packages are missing: ${missing[*]}"
  say "installing by apt: ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" < /dev/null
}

user() {
  getent group shelfloop > /dev/null || groupadd --system shelfloop
  getent passwd shelfloop > /dev/null ||
    useradd --system --gid shelfloop --home-dir $STATE --no-create-home --shell /usr/sbin/nologin shelfloop
  if getent group dialout > /dev/null; then
    id -nG shelfloop | grep -qw dialout || usermod --append --groups dialout shelfloop
  fi
  install -d -m 0755 -o root -g root $STATE
  install -d -m 0750 -o root -g shelfloop $ETC
  install -d -m 0700 -o root -g root $ETC/devices
}

program() {
  if [ -n "$program_is_there" ]; then
    [ -x $PROGRAM/bin/shelfloop ] || fail "$PROGRAM/bin/shelfloop is not there; leave --program-is-there out"
    return
  fi
  [ -e "$SOURCE/pyproject.toml" ] || fail "$SOURCE is no clone of Shelfloop; run the script from one"
  # Built from a copy: the clone belongs to somebody else, and what an earlier build left in it must not get in.
  local copy version
  copy=/tmp/shelfloop-build.$$
  mkdir -m 700 $copy
  tar -C "$SOURCE" --exclude=./.git --exclude=./.venv --exclude=./build --exclude=./var --exclude=./tests \
    --exclude='*.egg-info' --exclude=__pycache__ --exclude='./.*_cache' -cf - . | tar -C "$copy" -xf - --no-same-owner
  version=$(tar -C "$copy" --sort=name --mtime=@0 --owner=0 --group=0 --mode=go=rX -cf - . | cksum)
  if [ "$(cat $PROGRAM/.installed-from 2> /dev/null)" != "$version" ]; then
    say "installing the program into $PROGRAM (some minutes on a small machine)"
    [ -x $PROGRAM/bin/python ] || python3 -m venv $PROGRAM
    (cd / && $PROGRAM/bin/python -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-cache-dir \
      --only-binary :all: --no-binary shelfloop -c "$copy/constraints.txt" "shelfloop[edge] @ file://$copy")
    echo "$version" > $PROGRAM/.installed-from
    changed=yes
  fi
}

certificates() {
  install -d -m 0750 -o root -g mosquitto $BROKER
  if [ -n "$cert" ]; then
    put 644 root:root $ETC/ca.crt < "$ca"
    put 644 root:root $BROKER/broker.crt < "$cert"
    put 640 root:mosquitto $BROKER/broker.key < "$cert_key"
    return
  fi
  if [ -e $BROKER/broker.crt ] && [ ! -e $ETC/ca/ca.key ]; then
    return # certificates of the shop's own, brought by an earlier run
  fi
  [ -e $ETC/ca/ca.crt ] || {
    install -d -m 0700 -o root -g root $ETC/ca
    $PROGRAM/bin/shelfloop ca init --folder $ETC/ca --name "Shelfloop ${store:-shop} ${gateway:-gateway}" > /dev/null
  }
  put 644 root:root $ETC/ca.crt < $ETC/ca/ca.crt
  local names=(localhost 127.0.0.1 "$(hostname)" "$(hostname).local" "${hosts[@]}") name wanted=''
  [ ! -e $ETC/ca/names ] || mapfile -t -O ${#names[@]} names < $ETC/ca/names
  wanted=$(printf '%s\n' "${names[@]}" | sort -u)
  # A year is left for the next run; a new name is worth a new certificate at once.
  if [ "$(cat $ETC/ca/names 2> /dev/null)" != "$wanted" ] ||
    ! $PROGRAM/bin/shelfloop ca show $BROKER/broker.crt --warn-days 365 > /dev/null 2>&1; then
    local words=()
    while read -r name; do words+=(--for "$name"); done <<< "$wanted"
    $PROGRAM/bin/shelfloop ca issue --folder $ETC/ca "${words[@]}" --cert $BROKER/broker.crt --key $BROKER/broker.key > /dev/null
    chown root:mosquitto $BROKER/broker.key; chmod 640 $BROKER/broker.key
    put 600 root:root $ETC/ca/names <<< "$wanted"
    changed=yes
  fi
}

# credential USER FILE OWNER: a random password, in FILE for who uses it and hashed for the broker; kept when it is there.
credential() {
  local user=$1 file=$2 owner=$3
  [ -s "$file" ] || put 600 "$owner" "$file" < <(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
  if ! grep -q "^$user:" $BROKER/passwd || [ "$file" -nt $BROKER/passwd ]; then
    # By a file: on a command line every user of the machine could read it.
    local hashed
    hashed=$(mktemp $BROKER/.passwd.XXXXXX)
    echo "$user:$(cat "$file")" > "$hashed"
    mosquitto_passwd -U "$hashed"
    put 640 root:mosquitto $BROKER/passwd < <(grep -v "^$user:" $BROKER/passwd || true; cat "$hashed")
    rm "$hashed"
  fi
}

broker() {
  [ -e $BROKER/passwd ] || put 640 root:mosquitto $BROKER/passwd < /dev/null
  credential gateway $ETC/gateway.password shelfloop:shelfloop
  credential bridge-1 $ETC/bridge.password shelfloop:shelfloop
  local device
  for device in "${devices[@]}"; do
    credential "$device" "$ETC/devices/$device.password" root:root
    say "device $device: user $device, password in $ETC/devices/$device.password, CA in $ETC/ca.crt, port 8883"
  done
  for device in "${removed[@]}"; do
    put 640 root:mosquitto $BROKER/passwd < <(grep -v "^$device:" $BROKER/passwd || true)
    rm -f "$ETC/devices/$device.password"
  done
  put 640 root:mosquitto $BROKER/acl < "$SOURCE/deploy/mosquitto/shelfloop.acl"
  put 644 root:root /etc/mosquitto/conf.d/shelfloop.conf < "$SOURCE/deploy/mosquitto/shelfloop.conf"
}

settings() {
  [ -z "$key_file" ] || put 600 shelfloop:shelfloop $ETC/gateway.key < "$key_file"
  [ -z "$central_ca" ] || put 644 root:root $ETC/central-ca.crt < "$central_ca"
  [ ! -e $ETC/edge.toml ] || return 0
  put 640 root:shelfloop $ETC/edge.toml < <(
    echo "# Written by install.sh, which leaves it alone from now on. Every other setting has a default: docs/settings.md"
    echo "gateway = \"$gateway\""
    echo "store = \"$store\""
    echo "state_dir = \"$STATE/edge\""
    echo 'broker_username = "gateway"'
    echo "broker_password_file = \"$ETC/gateway.password\""
    [ -z "$central" ] || { echo "central_url = \"$central\""; echo "key_file = \"$ETC/gateway.key\""; }
    [ -z "$central_ca" ] || echo "central_ca_file = \"$ETC/central-ca.crt\""
    echo "status_port = $PAGE_PORT"
    echo "status_host = \"$page_host\""
  )
}

units() {
  local unit
  install -d $UNITS/mosquitto.service.d /etc/systemd/journald.conf.d
  put 644 root:root $UNITS/mosquitto.service.d/shelfloop.conf < "$SOURCE/deploy/gateway/mosquitto.service.conf"
  put 644 root:root /etc/systemd/journald.conf.d/shelfloop.conf < "$SOURCE/deploy/gateway/journald.conf"
  for unit in edge ${serial:+bridge}; do
    put 644 root:root $UNITS/shelfloop-$unit.service < "$SOURCE/deploy/systemd/shelfloop-$unit.service"
  done
  [ -x /usr/local/bin/shelfloop ] || ln -sf $PROGRAM/bin/shelfloop /usr/local/bin/shelfloop
}

is_systemd() { [ -d /run/systemd/system ]; }

start() {
  if [ -z "$start" ] || ! is_systemd; then
    say "files are written; nothing was started"
    return
  fi
  systemctl daemon-reload
  systemctl --quiet enable mosquitto.service shelfloop-edge.service
  if [ -n "$changed" ]; then
    systemctl restart mosquitto.service
    systemctl restart shelfloop-edge.service
  else
    systemctl start mosquitto.service shelfloop-edge.service
  fi
  if [ -n "$serial" ]; then
    [ -e $ETC/bridge.toml ] || { say "write $ETC/bridge.toml (docs/settings.md), then: systemctl enable --now shelfloop-bridge"; return; }
    systemctl --quiet enable shelfloop-bridge.service
    systemctl restart shelfloop-bridge.service
  fi
  say "the gateway runs; its page is http://$page_host:$PAGE_PORT/, and: sudo shelfloop edge status"
}

uninstall() {
  if is_systemd; then
    systemctl --quiet disable --now shelfloop-edge.service shelfloop-bridge.service 2> /dev/null || true
  fi
  rm -f $UNITS/shelfloop-edge.service $UNITS/shelfloop-bridge.service $UNITS/mosquitto.service.d/shelfloop.conf
  rm -f /etc/systemd/journald.conf.d/shelfloop.conf /etc/mosquitto/conf.d/shelfloop.conf
  rmdir $UNITS/mosquitto.service.d /etc/systemd/journald.conf.d 2> /dev/null || true
  [ "$(readlink /usr/local/bin/shelfloop)" != $PROGRAM/bin/shelfloop ] || rm -f /usr/local/bin/shelfloop
  if is_systemd; then
    systemctl daemon-reload
    systemctl try-restart mosquitto.service || true
  fi
  if [ -z "$purge" ]; then
    say "services and broker settings are gone; $ETC, $BROKER, $STATE and $PROGRAM are kept (--purge takes them away)"
    return
  fi
  rm -rf $ETC $BROKER $STATE $PROGRAM
  ! getent passwd shelfloop > /dev/null || userdel shelfloop
  ! getent group shelfloop > /dev/null || groupdel shelfloop
  say "nothing is left but the Debian packages"
}

changed=''
check
if [ -n "$uninstall" ]; then uninstall; exit 0; fi
packages
user
program
certificates
broker
settings
units
start
