#!/usr/bin/env bash
# Name the Debian packages of debian-packages.txt that are missing; install them when run as root.
# Their absence never stops the set-up, for each is needed by some tests or by PDF papers only;
# with --strict (continuous integration) it does.
set -u
strict=${1:-}
cd "$(dirname "$0")/.."
command -v dpkg-query >/dev/null || {
  echo "This is not Debian; install what corresponds to:"; grep -v '^#' debian-packages.txt; exit 0; }
installed=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package} ${Provides}\n' 2>/dev/null | grep '^ii')
missing=()
while read -r package _; do
  case $package in
    ''|'#'*) continue ;;
    # the metapackage and the versioned package serve equally
    postgresql-postgis) pattern='postgresql-(postgis|[0-9]+-postgis-[0-9]+)' ;;
    *) pattern=${package//./\\.} ;;
  esac
  grep -qE "^ii +$pattern( |$)" <<<"$installed" || missing+=("$package")
done < debian-packages.txt
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ]; then
  echo "Installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq </dev/null && apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null \
    || { echo "Some Debian packages could not be installed; the tests that need them will say so."
         [ "$strict" != --strict ] || exit 1; }
else
  echo "Debian packages that are missing (tests or PDF papers need them):"
  for package in "${missing[@]}"; do grep "^$package " debian-packages.txt | sed 's/^/  /'; done
  echo "Install them with: sudo apt-get install ${missing[*]}"
fi
exit 0
