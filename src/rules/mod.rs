//! Rules: what no field of the contract can say about itself.

pub mod industry;
