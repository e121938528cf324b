//! The contract: what the target accepts, as data.
//!
//! A [`Contract`] is a catalogue of [`Field`]s, each with its type and, variant by variant, its [`Constraint`]. The
//! one that is built in comes from two data files in the binary: the fields, and the lists of allowed values. A
//! tenant's own OpenAPI document can take its place ([`ContractSource`]), and [`changes`] tells what that
//! changes.
//! A mapping is checked against the catalogue before a record is read, and every cell that becomes a payload value
//! is checked by its field's constraint. What no single value can tell is left to [`crate::rules`].
//!
//! Paths are written without list marks and without variants: `supply_addresses.meter_points.ssc`. Where a node has
//! variants (a meter point is an electricity or a gas one) the field carries one [`Variant`] for each set of facts,
//! with the conditions under which it holds.

mod built_in;
pub mod catalogue;
pub mod changes;
mod constraint;
mod field;
mod openapi;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::account::Digest;

pub use built_in::{BUILT_IN, ContractError};
pub use constraint::{Constraint, Pattern, Violation};
pub use field::{Condition, Discriminator, Field, Format, Kind, Pick, ValueList, Variant};

/// Which contract a target has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContractSource {
    /// The one in the binary.
    BuiltIn,
    /// The tenant's own OpenAPI 3.0 document, YAML or JSON.
    Document(PathBuf),
}

/// Which contract it is.
#[derive(Clone, Debug)]
pub struct Edition {
    /// The contract's name, such as `edf-gb`.
    pub name: String,
    /// Which edition of the data it is.
    pub version: String,
    /// The day the facts were published, if it says.
    pub date: Option<NaiveDate>,
    /// Of the bytes of its data.
    pub digest: Digest,
    /// What was not taken as it stands, for whoever relies on it.
    pub notes: Vec<String>,
}

/// What a target accepts: its fields by path.
#[derive(Debug)]
pub struct Contract {
    /// Which one it is.
    pub edition: Edition,
    fields: Vec<Field>,
    by_path: HashMap<String, usize>,
    children: HashMap<String, Vec<usize>>,
}

impl Contract {
    /// The contract in the binary.
    pub fn built_in() -> Result<Arc<Self>, ContractError> {
        built_in::load().map(Arc::new)
    }

    /// The contract that `source` names.
    pub fn load(source: &ContractSource) -> Result<Arc<Self>, ContractError> {
        match source {
            ContractSource::BuiltIn => Self::built_in(),
            ContractSource::Document(path) => openapi::load(path, &*Self::built_in()?).map(Arc::new),
        }
    }

    fn new(edition: Edition, mut fields: Vec<Field>) -> Self {
        fields.sort_by(|a, b| a.path.split('.').cmp(b.path.split('.')));
        let mut by_path = HashMap::with_capacity(fields.len());
        let mut children: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, field) in fields.iter().enumerate() {
            by_path.insert(field.path.clone(), index);
            children.entry(field.parent().to_owned()).or_default().push(index);
        }
        Self { edition, fields, by_path, children }
    }

    /// The field at `path`, such as `supply_addresses.meter_points.ssc`.
    #[must_use]
    pub fn field(&self, path: &str) -> Option<&Field> {
        self.by_path.get(path).map(|&index| &self.fields[index])
    }

    /// All fields in the order of their paths, a node before what lies below it.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter()
    }

    /// The fields directly below `path`, in the order of their names; `""` is the account.
    pub fn children(&self, path: &str) -> impl Iterator<Item = &Field> {
        self.children.get(path).into_iter().flatten().map(|&index| &self.fields[index])
    }

    /// The path most like `path`, if any is like it at all: for "did you mean".
    ///
    /// | | the nearest is |
    /// | --- | --- |
    /// | the parent is there | its field whose name is spelt most alike; else the shortest that holds the name, as `supply_address1` holds `address1` |
    /// | it is not, or has none | the path that is spelt most alike, or that ends alike |
    #[must_use]
    pub fn nearest(&self, path: &str) -> Option<&str> {
        let (parent, leaf) = path.rsplit_once('.').unwrap_or(("", path));
        let spelt = |field: &&Field| strsim::osa_distance(leaf, field.leaf());
        let limit = (leaf.chars().count() / 3).max(1);
        let near = self.children(parent).filter(|field| spelt(field) <= limit).min_by_key(spelt);
        let holds = |field: &&Field| leaf.len() >= LEAF_BYTES_TELLING && field.leaf().contains(leaf);
        let holding = || self.children(parent).filter(holds).min_by_key(|field| field.leaf().len());
        let ending = || self.fields().filter(|field| field.leaf() == leaf).min_by_key(|field| field.path.len());
        let found = near.or_else(holding).or_else(|| self.nearest_path(path, parent)).or_else(ending);
        found.map(|field| field.path.as_str())
    }

    /// The path that is spelt most like `path`, where `parent` has no field that could be meant.
    fn nearest_path(&self, path: &str, parent: &str) -> Option<&Field> {
        let limit = (path.chars().count() / 3).max(2);
        let others = self.fields().filter(|field| field.parent() != parent && field.path != parent);
        let spelt = others.map(|field| (strsim::osa_distance(path, &field.path), field));
        spelt
            .filter(|(distance, _)| *distance <= limit)
            .min_by_key(|(distance, field)| (*distance, &field.path))
            .map(|(_, field)| field)
    }
}

/// A name is looked for within others from this length on.
const LEAF_BYTES_TELLING: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Arc<Contract> {
        Contract::built_in().unwrap()
    }

    #[test]
    fn every_part_of_the_payload_is_in_the_built_in_contract() {
        let contract = contract();
        for (path, kind) in [
            ("external_account_number", Kind::Text),
            ("customers.contact_emails", Kind::TextList),
            ("business.users.alternative_phone_numbers", Kind::ObjectList),
            ("billing_address.structured_street_address", Kind::Object),
            ("payment_plans.payments.total_amount", Kind::Integer),
            ("ledgers.historical_statement_transactions.line_items.units", Kind::TextList),
            ("supply_addresses.meter_points.meters.registers.is_settlement", Kind::Boolean),
            ("metadata.value", Kind::Any),
        ] {
            assert_eq!(contract.field(path).map(|field| field.kind), Some(kind), "{path}");
        }
        assert!(contract.field("supply_addresses.meter_points.tpr").is_none());
        assert!(contract.field("").is_none());
    }

    #[test]
    fn a_field_lies_below_a_node_of_the_contract() {
        let contract = contract();
        for field in contract.fields() {
            let Some(parent) = contract.field(field.parent()) else {
                assert_eq!(field.parent(), "", "{} has no parent", field.path);
                continue;
            };
            assert!(matches!(parent.kind, Kind::Object | Kind::ObjectList), "{} is no node", parent.path);
        }
    }

    #[test]
    fn every_discriminator_is_a_field_whose_values_name_the_variants() {
        let contract = contract();
        let mut nodes = 0;
        for node in contract.fields() {
            let Some(discriminator) = &node.discriminator else { continue };
            nodes += 1;
            let field = contract.field(&format!("{}.{}", node.path, discriminator.field)).unwrap();
            let [variant] = field.variants.as_slice() else { panic!("{} has variants itself", field.path) };
            let list = variant.constraint.values.as_ref().unwrap();
            assert!(discriminator.values.iter().all(|value| list.contains(value)), "{}", field.path);
        }
        assert_eq!(nodes, 7);
        for field in contract.fields() {
            for condition in field.variants.iter().flat_map(|variant| &variant.conditions) {
                let node = contract.field(&condition.node).unwrap();
                let discriminator = node.discriminator.as_ref().unwrap();
                assert!(field.path.starts_with(&format!("{}.", node.path)), "{}", field.path);
                assert!(discriminator.values.contains(&condition.value), "{}", field.path);
            }
        }
    }

    #[test]
    fn children_are_the_direct_ones_in_order() {
        let contract = contract();
        let names: Vec<&str> = contract.children("dunning_path").map(Field::leaf).collect();
        assert_eq!(names, ["path_name", "start_date"]);
        assert!(contract.children("").any(|field| field.path == "customers"));
        assert!(contract.children("").all(|field| !field.path.contains('.')));
        assert_eq!(contract.children("dunning_path.path_name").count(), 0);
    }

    #[test]
    fn a_slip_of_the_pen_finds_the_path_that_was_meant() {
        let contract = contract();
        assert_eq!(contract.nearest("customers.famly_name"), Some("customers.family_name"));
        assert_eq!(contract.nearest("supply_addresses.meter_points.scc"), Some("supply_addresses.meter_points.ssc"));
        assert_eq!(contract.nearest("ledger.ledger_balance"), Some("ledgers.ledger_balance"));
        assert_eq!(contract.nearest("supply_addresses.address1"), Some("supply_addresses.supply_address1"));
        let transactions = "ledgers.current_statement_transactions";
        assert_eq!(
            contract.nearest(&format!("{transactions}.date")),
            Some(format!("{transactions}.transaction_date").as_str())
        );
        assert_eq!(contract.nearest("xylophone"), None);
    }

    #[test]
    fn only_the_tenants_own_lists_are_reference_data() {
        let contract = contract();
        let tenants: Vec<&str> = contract
            .fields()
            .filter(|field| field.variants.iter().any(|v| v.constraint.values.as_ref().is_some_and(|l| l.tenant_list)))
            .map(|field| field.path.as_str())
            .collect();
        assert_eq!(tenants, ["account_campaigns.campaign_name", "account_campaigns.slug", "import_supplier"]);
    }
}
