//! From a payload path back to the extract: the accounts are staged again, and the path is walked down their rows.

use std::sync::Arc;

use crate::account::AccountKey;
use crate::assemble::{Books, EntityId, FieldId, Row, Schema, Selection, View, name_accounts};
use crate::config::Project;
use crate::contract::Contract;
use crate::error::Error;
use crate::finding::Cell;
use crate::ledger::Ledger;
use crate::mapping::{self, Plan};
use crate::stage::promised::Wanted;
use crate::stage::{self, Digests, StageError, Staging, Storage};

use super::extract_files::Extract;

/// Visits each of `accounts` that the extract has. The extract must be the one that the ledger's newest build read:
/// what it said of a cell would be told of another.
pub(super) fn visit_accounts(
    project: &Project,
    ledger: &Ledger,
    accounts: impl Iterator<Item = AccountKey>,
    storage: Storage,
    visit: &mut dyn FnMut(&AccountKey, Row<'_>, &Schema),
) -> Result<(), Error> {
    let contract = Contract::load(&project.target.contract)?;
    let plan: Arc<Plan> = Arc::new(mapping::load(&project.source.mapping, &contract).map_err(Error::Mapping)?);
    let extract = Extract::open(project, &plan)?;
    check_same(&extract.digests(Digests::new())?, ledger)?;
    let name = |table: &stage::StagedTable| name_accounts(&plan, table);
    let staging = Staging {
        storage,
        memory: project.limits.memory_bytes,
        name: &name,
        wanted: Wanted::default(),
        advanced: &|_| {},
    };
    let stage = stage::load(&plan, extract.sources.clone(), &staging, None)?;
    let accounts = accounts.map(|key| (Some(key.supplier.to_string()), key.number.to_string())).collect();
    let books = Books::open(&stage, &Selection { accounts: Some(accounts), limit: None });
    let schema = Schema::new(plan.clone());
    for number in 0..books.len() {
        let book = books.book(number)?;
        let view = View::new(&book).map_err(StageError::from)?;
        for (at, key) in (0_u32..).zip(&book.accounts) {
            visit(key, view.account(at), &schema);
        }
    }
    Ok(())
}

/// Whether the files are those of the newest build.
fn check_same(digests: &Digests, ledger: &Ledger) -> Result<(), Error> {
    let known: Vec<String> = ledger.files()?.into_iter().map(|file| file.digest).collect();
    match digests.iter().find(|(_, digest)| !known.contains(&digest.to_string())) {
        None => Ok(()),
        Some((file, _)) => Err(Error::Usage {
            problem: format!("{} is not as it was when the ledger's newest build read it", file.display()),
            hint: Some("build again: cells are told of the extract that was built".to_owned()),
        }),
    }
}

/// Where a payload path leads to: the row, and the field if the path is one that is mapped.
pub(super) struct Found<'a> {
    pub(super) row: Row<'a>,
    pub(super) field: Option<FieldId>,
    /// How many rows there are of the list in which the path names one that is not there.
    pub(super) beyond: Option<(String, usize)>,
}

impl Found<'_> {
    /// The cells the value comes from; the row's record where the path is not mapped or only a part of it is there.
    pub(super) fn cells(&self) -> Vec<Cell> {
        match self.field {
            Some(field) => self.row.cell(field),
            None => vec![self.row.record()],
        }
    }
}

/// Follows `path`, such as `customers.0.landline`, down from the account as far as it leads.
pub(super) fn follow<'a>(account: Row<'a>, schema: &Schema, path: &str) -> Found<'a> {
    let mut row = account;
    let mut below: Option<EntityId> = schema.entity("");
    let mut plain = String::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let position = part.parse::<usize>().ok();
        if position.is_none() {
            if !plain.is_empty() {
                plain.push('.');
            }
            plain.push_str(part);
            // An object that has a table of its own is its parent's only one; a list waits for its position.
            if schema.is_list(&plain) {
                continue;
            }
        }
        let place = position.unwrap_or(0);
        let Some(entity) = schema.entity(&plain).filter(|entity| schema.parent(*entity) == below) else { continue };
        let mut children = row.children(entity);
        let rows = children.len();
        let Some(next) = children.nth(place) else { return Found { row, field: None, beyond: Some((plain, rows)) } };
        (row, below) = (next, Some(entity));
    }
    let field = schema.field(&plain).filter(|field| Some(field.entity()) == below);
    Found { row, field, beyond: None }
}
