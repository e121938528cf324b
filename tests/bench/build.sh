#!/bin/sh
# build.sh EXTRACT OUT: builds an extract in the layout of samples/tentacle into OUT, with all checks, in a project of
# its own that is gone afterwards. What a benchmark calls: SLIPWAY names the binary, else the release build is taken.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cat >"$project/slipway.toml" <<END
[source]
mapping = "$root/mappings/tentacle"
extracts = ["$(cd "$1" && pwd)"]
run_date = "manifest"
manifest = "MANIFEST.csv"
[target]
url = "http://127.0.0.1:9"
suppliers = ["TENTACLE_ENERGY"]
END
"${SLIPWAY:-$root/target/release/slipway}" build --quiet --project "$project/slipway.toml" --out "$2"
