#!/bin/sh
# checks.sh EXTRACT [REPEAT]: how much of a build's wall time the rules cost, on an extract in the layout of
# samples/tentacle. Builds it by turns with every rule and with none (`[rules] … = "off"`), REPEAT times each (3), after
# one build that is not counted, and compares the fastest of each. The contract's checks of single fields are in both: they
# are part of writing the payload. Ends 1 if the share is a third or more.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
slipway=${SLIPWAY:-$root/target/release/slipway}
extract=$(cd "$1" && pwd)
repeat=${2:-3}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

project() { # NAME: a project of its own, so that neither uses the other's stage or ledger
    mkdir -p "$scratch/$1"
    cat >"$scratch/$1/slipway.toml" <<END
[source]
mapping = "$root/mappings/tentacle"
extracts = ["$extract"]
run_date = "manifest"
manifest = "MANIFEST.csv"
[target]
url = "http://127.0.0.1:9"
suppliers = ["TENTACLE_ENERGY"]
END
}

seconds() { # NAME: of one build from nothing
    rm -rf "$scratch/$1/.slipway"
    begun=$(date +%s%N)
    # 1: some accounts are rejected, which is no matter here.
    "$slipway" build --quiet --project "$scratch/$1/slipway.toml" >"$scratch/$1/told" || [ $? -eq 1 ]
    ended=$(date +%s%N)
    awk "BEGIN { printf \"%.2f\\n\", ($ended - $begun) / 1e9 }"
}

project with
project without
echo "[rules]" >>"$scratch/without/slipway.toml"
"$slipway" schema rules --project "$scratch/with/slipway.toml" |
    awk '$2 ~ /^(on|partial|reference|config|idle)$/ { print $1 " = \"off\"" }' >>"$scratch/without/slipway.toml"
grep -c '"off"' "$scratch/without/slipway.toml" | sed 's/$/ rules are turned off for comparison/'

seconds with >/dev/null
with=
without=
for _ in $(seq "$repeat"); do
    with="$with $(seconds with)"
    without="$without $(seconds without)"
done
echo "seconds with rules:   $with"
echo "seconds without rules:$without"
awk -v with="$with" -v without="$without" '
    function fastest(text,   n, all, i, least) {
        n = split(text, all, " ")
        least = all[1]
        for (i = 2; i <= n; i++) if (all[i] < least) least = all[i]
        return least + 0
    }
    BEGIN {
        share = 1 - fastest(without) / fastest(with)
        is_kept = share < 1 / 3
        printf "rules: %.1f %% of the build'"'"'s wall time; a third is allowed: %s\n", share * 100, is_kept ? "kept" : "NOT KEPT"
        exit !is_kept
    }'
