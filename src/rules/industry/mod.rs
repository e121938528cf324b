//! Checks of the British energy industry on single values: pure functions from a text to a verdict.

pub mod email;
pub mod phone;
pub mod postcode;
pub mod supply_point;
