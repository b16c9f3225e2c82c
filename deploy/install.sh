#!/bin/sh
# Installs Beffroi as a service of a Debian 12 (or later) machine, or brings it to another version; run as root.
#
#   deploy/install.sh beffroi-X.Y.Z-py3-none-any.whl ["Name of the town"]
#
# The second wheel (beffroi_trades-X.Y.Z…: rivers, networks) is installed too when it lies beside the first.
# Everything it makes: the account beffroi, /opt/beffroi (programs), /var/lib/beffroi (the town), /var/backups/beffroi,
# /etc/beffroi/environment, the units of systemd. Run again, it keeps the town: it upgrades (see `beffroi upgrade`).
# DESTDIR, when set, is put before every path, and neither accounts nor units are touched: a trial.
set -eu

WHEEL=${1:?"usage: install.sh WHEEL [NAME]"}
NAME=${2:-Ma commune}
ROOT=${DESTDIR:-}
HERE=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
PROGRAMS=$ROOT/opt/beffroi TOWN=$ROOT/var/lib/beffroi BACKUPS=$ROOT/var/backups/beffroi SETTINGS=$ROOT/etc/beffroi
NEW=$PROGRAMS/versions/$(basename "$WHEEL" .whl)
# Debian's own: another python3 in root's PATH may lie where the account beffroi cannot go
PYTHON=${PYTHON:-/usr/bin/python3}

say() { printf '%s\n' "$*"; }
as_town() { if [ -z "$ROOT" ]; then runuser -u beffroi -- "$@"; else "$@"; fi; }

[ -r "$WHEEL" ] || { say "There is no file $WHEEL."; exit 2; }
if [ -z "$ROOT" ]; then
	[ "$(id -u)" = 0 ] || { say "Run me as root."; exit 2; }
	apt-get install -y --no-install-recommends \
		python3-venv fonts-dejavu-core libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0
	getent passwd beffroi >/dev/null || useradd --system --home-dir "$TOWN" --shell /usr/sbin/nologin beffroi
fi

mkdir -p "$PROGRAMS/versions" "$TOWN" "$BACKUPS" "$SETTINGS"
chmod 700 "$TOWN" "$BACKUPS"
[ -z "$ROOT" ] && chown beffroi:beffroi "$TOWN" "$BACKUPS"
[ -e "$SETTINGS/environment" ] || (umask 077; : >"$SETTINGS/environment")

say "Installing $(basename "$WHEEL") …"
[ -x "$NEW/bin/python" ] || "$PYTHON" -m venv "$NEW"
"$NEW/bin/pip" install --quiet --disable-pip-version-check "$WHEEL${BEFFROI_EXTRAS-[all]}"
TRADES=$(dirname "$WHEEL")/beffroi_trades-${NEW##*/beffroi-}.whl
[ ! -r "$TRADES" ] || "$NEW/bin/pip" install --quiet --disable-pip-version-check "$TRADES"

if [ -e "$TOWN/beffroi.toml" ]; then
	[ -z "$ROOT" ] && systemctl stop beffroi.service
	as_town "$NEW/bin/beffroi" upgrade --data "$TOWN"
else
	as_town "$NEW/bin/beffroi" init --data "$TOWN" --name "$NAME"
fi
ln -sfn "$NEW" "$PROGRAMS/current.new" && mv -T "$PROGRAMS/current.new" "$PROGRAMS/current"
ln -sfn current/bin "$PROGRAMS/bin"

if [ -z "$ROOT" ]; then
	install -m 644 "$HERE"/beffroi*.service "$HERE"/beffroi*.timer /etc/systemd/system/
	systemctl daemon-reload
	systemctl enable --now beffroi.service beffroi-doctor.timer beffroi-backup.timer
	say "The town runs: journalctl -u beffroi shows the administrator's first sign-in link."
fi
say "Done. TLS: see $HERE/Caddyfile."
