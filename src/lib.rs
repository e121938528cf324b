//!
//! The folders follow the way of the data:
//!
//! ```text
//! ```
//!
//! Stages do not call each other; `commands` wires them. All SQL is in `ledger`, all HTTP in `target` (and its
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
pub mod error;
pub mod exit_code;
pub mod extract;
pub mod finding;
pub mod generate;
pub mod interrupt;
pub mod ledger;
pub mod logging;
pub mod mapping;
pub mod progress;
pub mod reconcile;
pub mod report;
pub mod rules;
pub mod sandbox;
pub mod stage;
pub mod submit;
pub mod target;
