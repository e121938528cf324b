//! slipway moves an energy supplier's customer accounts from legacy CSV extracts into a Kraken tenant, and proves it.
//!
//! The folders follow the way of the data:
//!
//! ```text
//! extract ──► stage ──► assemble ──► rules ──► ledger ──► submit ──► reconcile ──► report
//! records     columns   payloads     findings  states     attempts   identities    text, json, html
//! ```
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`account`], [`finding`] | the words every stage shares: names, digests, findings, locators |
//! | [`contract`] | what the target accepts: the field catalogue, as data |
//! | [`tenant`] | what is the tenant's own: its lists and how it has set up the import |
//! | [`mapping`] | `mapping.toml` and its lookups → a compiled plan |
//! | [`extract`] | files → records, quarantine, the sender's manifest |
//! | [`stage`] | records × plan → columns, keys, duplicates |
//! | [`assemble`] | columns → accounts → payload bytes; the account as rules see it; the payload store |
//! | [`rules`] | what no field can say about itself, one file for each part of the account |
//! | [`ledger`] | the database file: schema, states, queries |
//! | [`target`] | the target's API: requests, replies, what they mean |
//! | [`submit`] | claim, rate limit, retry, follow; the only asynchronous stage |
//! | [`money`] | amounts and sums that cannot round |
//! | [`drift`] | what differs between two payloads of one account |
//! | [`reconcile`] | the identities |
//! | [`report`] | where a migration stands |
//! | [`profile`], [`draft`] | what is in extracts that nobody has described yet; a mapping to start from |
//! | [`sandbox`], [`generate`] | a target and extracts to practise with |
//! | [`commands`] | one file a command; [`cli`] is what can be typed, [`config`] what it resolves to |
//! | [`console`], [`excerpt`], [`progress`], [`logging`] | what is said, and where |
//! | `write_behind` | a long file, brought to the disk while it is written |
//! | [`error`], [`exit_code`], [`interrupt`], [`clock`], [`cut`] | how a command ends; signals; time; where a test ends it |
//!
//! Stages do not call each other; `commands` wires them. One exception: `submit` drives the ledger and the target
//! itself, because claim, send and record must not be pulled apart. All SQL is in `ledger`, all HTTP in `target` (and its
//! counterpart, `sandbox`), polars in `stage` and `assemble` alone. A finding is a value
//! ([`finding::Finding`]) and the work goes on; a failure is an error and the work stops.

pub mod account;
pub mod assemble;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod console;
pub mod contract;
pub mod cut;
pub mod draft;
pub mod drift;
pub mod error;
pub mod excerpt;
pub mod exit_code;
pub mod extract;
pub mod finding;
pub mod generate;
pub mod interrupt;
pub mod ledger;
pub mod logging;
pub mod mapping;
pub mod money;
pub mod profile;
pub mod progress;
pub mod reconcile;
pub mod report;
pub mod rules;
pub mod sandbox;
mod schema;
pub mod stage;
pub mod submit;
pub mod target;
pub mod tenant;
mod write_behind;
