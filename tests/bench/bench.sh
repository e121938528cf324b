#!/usr/bin/env bash
# bench.sh: builds 100,000 synthetic accounts, timed; beside its peers too, where the comparison kit lies beside the
# checkout. Leaves what it makes in target/bench.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release
rm -rf target/bench
target/release/slipway generate --quiet --accounts 100000 --out target/bench/extract
time tests/bench/build.sh target/bench/extract target/bench/payloads.ndjson
kit=../shared/bench
if [ -e "$kit/measure.py" ]; then
    python3 "$kit/make_extracts.py" --accounts 100000 --seed 1 --out target/bench/peers
    python3 "$kit/measure.py" --in target/bench/peers --work target/bench --repeat 1 --program 'tests/bench/build.sh {in} {out}'
fi
