#!/bin/sh
# Checks a release: who signed it, and that nothing in it was altered.
#
#   deploy/verify.sh FOLDER [SIGNERS]
#
# SIGNERS (deploy/release.signers) names who may sign, as ssh-keygen's ALLOWED SIGNERS does.
set -eu
FOLDER=${1:?"usage: verify.sh FOLDER [SIGNERS]"}
SIGNERS=${2:-$(dirname -- "$0")/release.signers}
WHO=$(ssh-keygen -Y find-principals -s "$FOLDER/SHA256SUMS.sig" -f "$SIGNERS" | head -n 1)
[ -n "$WHO" ] || { echo "Nobody of $SIGNERS signed this."; exit 1; }
ssh-keygen -Y verify -n beffroi -f "$SIGNERS" -I "$WHO" -s "$FOLDER/SHA256SUMS.sig" <"$FOLDER/SHA256SUMS"
cd "$FOLDER" && sha256sum --check --strict SHA256SUMS
