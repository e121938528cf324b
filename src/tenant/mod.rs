//! What is the tenant's own: its lists, which nobody publishes, and how it has set up the import.
//!
//! A list is a CSV file with a header whose first column is the code, named by `[reference]` in `slipway.toml`; which
//! lists there are and what their columns mean is one table, [`ListKind`]. Settings are switches of `[target.settings]`.
//! What either is good for is said by the rules that need it: [`crate::rules::tenant`].

mod list;
mod read;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::account::Digest;
use crate::mapping::Problem;

pub use list::{Column, List, ListKind, Row, Shape};
pub use settings::{DocumentIds, PaymentDays, Setting, Settings};

/// Where the lists are that a project loads.
pub type Sources = BTreeMap<ListKind, PathBuf>;

/// A tenant as far as a project knows it. The default knows no list and has every setting at its default.
#[derive(Clone, Debug, Default)]
pub struct Tenant {
    lists: BTreeMap<ListKind, Arc<List>>,
    /// How it has set up the import.
    pub settings: Settings,
}

impl Tenant {
    /// Reads the lists of `sources`; all that is wrong with any of them.
    pub fn load(sources: &Sources, settings: &Settings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut lists = BTreeMap::new();
        for (kind, path) in sources {
            if let Some(list) = read::read(*kind, path, &mut problems) {
                lists.insert(*kind, Arc::new(list));
            }
        }
        if problems.is_empty() { Ok(Self { lists, settings: settings.clone() }) } else { Err(problems) }
    }

    /// The list, if it is loaded.
    #[must_use]
    pub fn list(&self, kind: ListKind) -> Option<&Arc<List>> {
        self.lists.get(&kind)
    }

    /// The digest of each loaded list, by its key in `[reference]`.
    pub fn digests(&self) -> impl Iterator<Item = (&'static str, Digest)> {
        self.lists.iter().map(|(kind, list)| (kind.key(), list.digest))
    }

    /// The same tenant with the list `kind` as the text of its file says; for tests.
    pub fn with(mut self, kind: ListKind, text: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let list = read::parse(kind, Path::new(kind.key()), text.as_bytes(), &mut problems);
        self.lists.extend(list.map(|list| (kind, Arc::new(list))));
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }
}
