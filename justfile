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

# Build 100,000 synthetic accounts, timed; generates them first
bench:
    rm -rf target/bench && cargo run --release -- generate --accounts 100000 --out target/bench/extract && time target/release/slipway build --project samples/tentacle/slipway.toml --set source.extracts='["../../target/bench/extract"]' --set project.state=../../target/bench/state
