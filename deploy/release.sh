#!/bin/sh
# Makes a release in dist/: the wheels, what is in them (CycloneDX), their digests, and the digests' signature.
#
#   make release KEY=~/.ssh/beffroi_release        # a key of ssh-keygen; its public half is in deploy/release.pub
#
# Whoever installs it checks with: deploy/verify.sh dist/
set -eu
HERE=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
KEY=${1:?"usage: release.sh KEY [FOLDER]"}
TO=${2:-$HERE/dist}
PYTHON=${PYTHON:-$HERE/.venv/bin/python}

mkdir -p "$TO"
rm -f "$TO"/*.whl "$TO"/*.cdx.json "$TO"/SHA256SUMS*
for project in "$HERE" "$HERE/trades"; do
	"$PYTHON" -m build --wheel --no-isolation --outdir "$TO" "$project" >/dev/null
done

FRESH=$(mktemp -d)
trap 'rm -rf "$FRESH"' EXIT
"$PYTHON" -m venv "$FRESH"
for wheel in "$TO"/beffroi-*.whl; do
	"$FRESH/bin/pip" install --quiet --disable-pip-version-check --constraint "$HERE/constraints.txt" \
		"${wheel}[${BEFFROI_EXTRAS-all}]" "$TO"/beffroi_trades-*.whl
done
"$FRESH/bin/pip" uninstall --quiet --yes setuptools pip 2>/dev/null || true
"$PYTHON" -m cyclonedx_py environment --pyproject "$HERE/pyproject.toml" --output-reproducible --validate \
	-o "$TO/beffroi.cdx.json" "$FRESH/bin/python"
(cd "$HERE/frontend" && npm sbom --sbom-format cyclonedx --omit dev --package-lock-only) >"$TO/frontend.cdx.json"

cd "$TO"
sha256sum -- *.whl *.cdx.json >SHA256SUMS
ssh-keygen -q -Y sign -n beffroi -f "$KEY" SHA256SUMS
ls -l
