# The whole job on the bundled sample, against the embedded sandbox
demo:
    cargo run --release -- demo

# All tests; they speak to this machine alone
test:
    cargo test --release

# Format, lints and their warnings as errors
lint:
    cargo fmt --check && cargo clippy --release --all-targets -- -D warnings

# Write the sources in the house's format
fmt:
    cargo fmt

# Everything a change must pass before it lands
ci:
    .ci/run

# Build 100,000 synthetic accounts, timed; beside its peers too, where the comparison kit lies beside the checkout
bench:
    tests/bench/bench.sh

# The share of the rules in a build's wall time, on 100,000 synthetic accounts or on an extract of the sample's layout
bench-checks extract="":
    cargo build --release
    test -n "{{extract}}" || test -e target/bench/extract/MANIFEST.csv || target/release/slipway generate --quiet --accounts 100000 --out target/bench/extract
    tests/bench/checks.sh {{ if extract == "" { "target/bench/extract" } else { extract } }}

# The hot loops one by one
bench-micro:
    cargo bench --bench micro

# The rate at the target's side of the wire, for a minute at each of 20, 100 and 500 a second
bench-rate:
    cargo bench --bench wire -- rate

# Accounts a second without a limit, beside what wrk reaches with the same bodies at the same sandbox
bench-submit:
    cargo bench --bench wire -- throughput

# 20,000 accounts at the full mix of faults with random kills; prints what became of each. Takes some minutes
soak accounts="20000" kills="40" seed="1":
    cargo bench --bench wire -- soak --accounts {{accounts}} --kills {{kills}} --seed {{seed}}

# The report of a million accounts, timed: page, workbook and CSV; needs the sqlite3 shell
bench-report:
    cargo build --release && rm -rf target/bench-report && mkdir -p target/bench-report && target/release/slipway reconcile --quiet --project samples/tentacle/slipway.toml --set project.state=$PWD/target/bench-report && sqlite3 target/bench-report/ledger.sqlite < tests/bench/million.sql
    for form in "--html r.html" "--xlsx r.xlsx" "--csv tables"; do (cd target/bench-report && time ../release/slipway report --project ../../samples/tentacle/slipway.toml --set project.state=$PWD $form); done
