//! What can be wrong with a cell: each code and message once, by number.
//!
//! A column in a wrong format has the same fault in every record; a fault is then three numbers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::mapping::value::Misread;

/// A kind of fault.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FaultKind {
    /// The finding's code.
    pub code: Arc<str>,
    /// What was expected, and the shape of what was there.
    pub message: Arc<str>,
}

/// The kinds of fault met so far.
#[derive(Debug, Default)]
pub struct FaultKinds {
    known: Mutex<HashMap<FaultKind, u32>>,
}

impl FaultKinds {
    /// The kinds `kinds`, by their numbers.
    #[must_use]
    pub fn of(kinds: &[FaultKind]) -> Self {
        Self { known: Mutex::new((0..).zip(kinds).map(|(number, kind)| (kind.clone(), number)).collect()) }
    }

    /// The number of what is wrong.
    pub(super) fn number(&self, misread: &Misread) -> u32 {
        let kind = FaultKind { code: misread.code.into(), message: misread.message.as_str().into() };
        // A poisoned lock holds a whole map all the same.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let next = known.len() as u32;
        *known.entry(kind).or_insert(next)
    }

    /// The kinds, by their numbers.
    #[must_use]
    pub fn into_list(self) -> Vec<FaultKind> {
        let known = self.known.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut kinds: Vec<(FaultKind, u32)> = known.into_iter().collect();
        kinds.sort_by_key(|(_, number)| *number);
        kinds.into_iter().map(|(kind, _)| kind).collect()
    }
}
