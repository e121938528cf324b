//! Fields of the contract and the variants they come in.

use std::collections::HashSet;

use super::Constraint;

/// The JSON type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One object.
    Object,
    /// A list of objects.
    ObjectList,
    /// A list of strings.
    TextList,
    /// A string; decimals and dates are strings too, see [`Format`].
    Text,
    /// A number without a fraction.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// Any JSON value; the contract does not say what lies below.
    Any,
}

/// How a string of the payload is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `YYYY-MM-DD`.
    Date,
    /// ISO 8601 with an offset or `Z`.
    DateTime,
    /// Digits with an optional sign and fraction, exact.
    Decimal,
    /// An e-mail address.
    Email,
    /// A time of day.
    Time,
}

/// One field of the payload.
#[derive(Clone, Debug)]
pub struct Field {
    /// The path without list marks and variants, such as `supply_addresses.meter_points.ssc`.
    pub path: String,
    /// The JSON type; it is the same in every variant.
    pub kind: Kind,
    /// How the string, or each item of a list of strings, is to be read.
    pub format: Option<Format>,
    /// At least one. Only one of them, without conditions, if nothing about the field depends on a variant.
    pub variants: Vec<Variant>,
    /// The target still takes it but wants it gone.
    pub deprecated: bool,
    /// The path that takes its place.
    pub use_instead: Option<String>,
    /// On an object or a list of objects: the field of each object that picks its variant.
    pub discriminator: Option<Discriminator>,
}

/// What a field is in one variant of the objects it lies in.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The value of the innermost condition, for messages; none if the field is the same in every variant.
    pub name: Option<String>,
    /// When this variant holds: each of these nodes above the field has this variant.
    pub conditions: Vec<Condition>,
    /// What a value must be like.
    pub constraint: Constraint,
}

/// That the object at `node` is of the variant `value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The path of an object or list of objects that has a [`Discriminator`].
    pub node: String,
    /// The value of its discriminating field.
    pub value: String,
}

/// The field that picks the variant of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discriminator {
    /// The name of a field of the object itself, such as `supply_type`.
    pub field: String,
    /// Its values, one for each variant.
    pub values: Vec<String>,
}

/// A list of the values that a field may have.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueList {
    /// The list's name in the contract's data.
    pub name: String,
    /// The values in the order in which the target publishes them.
    pub values: Vec<String>,
    /// The list is the tenant's own and changes with the tenant: another value is worth a notice, not an error.
    pub tenant_list: bool,
    set: HashSet<String>,
}

/// Which constraint holds for a field of one particular object.
#[derive(Clone, Copy, Debug)]
pub enum Pick<'a> {
    /// This one.
    Constraint(&'a Constraint),
    /// The object's variant has no such field.
    Foreign,
    /// It depends on a discriminating field that has no value, or none that the contract knows.
    Undecided,
}

impl Field {
    /// The path of the object the field belongs to; `""` for a field of the account itself.
    #[must_use]
    pub fn parent(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// The field's own name.
    #[must_use]
    pub fn leaf(&self) -> &str {
        self.path.rsplit_once('.').map_or(self.path.as_str(), |(_, leaf)| leaf)
    }

    /// The constraint that holds where `variant_of` tells the variant of each node above the field: the value of the
    /// discriminating field of the object at that node, or none if it is absent or not one of the contract's.
    pub fn pick<'v>(&self, variant_of: impl Fn(&str) -> Option<&'v str>) -> Pick<'_> {
        let mut undecided = false;
        for variant in &self.variants {
            let (mut known, mut met) = (true, true);
            for condition in &variant.conditions {
                match variant_of(&condition.node) {
                    Some(value) => met &= value == condition.value,
                    None => known = false,
                }
            }
            if known && met {
                return Pick::Constraint(&variant.constraint);
            }
            undecided |= met && !known;
        }
        if undecided { Pick::Undecided } else { Pick::Foreign }
    }
}

impl ValueList {
    /// The list `name` of `values`.
    #[must_use]
    pub fn new(name: String, values: Vec<String>, tenant_list: bool) -> Self {
        let set = values.iter().cloned().collect();
        Self { name, values, tenant_list, set }
    }

    /// Whether `value` is on the list.
    #[must_use]
    pub fn contains(&self, value: &str) -> bool {
        self.set.contains(value)
    }

    /// The value of the list that is most like `value`, if any is like it at all.
    #[must_use]
    pub fn nearest(&self, value: &str) -> Option<&str> {
        const LIKE: f64 = 0.8;
        let folded = value.to_uppercase();
        self.values
            .iter()
            .filter(|candidate| !candidate.is_empty())
            .map(|candidate| (strsim::jaro_winkler(&folded, &candidate.to_uppercase()), candidate.as_str()))
            .filter(|&(likeness, _)| likeness >= LIKE)
            .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
            .map(|(_, candidate)| candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Contract;
    use super::*;

    const POINTS: &str = "supply_addresses.meter_points";

    #[test]
    fn the_variant_of_a_node_above_decides_for_what_lies_below() {
        let contract = Contract::built_in().unwrap();
        let tpr = contract.field("supply_addresses.meter_points.meters.registers.tpr").unwrap();
        assert_eq!(tpr.leaf(), "tpr");
        assert_eq!(tpr.parent(), "supply_addresses.meter_points.meters.registers");
        assert_eq!(tpr.variants[0].name.as_deref(), Some("ELECTRICITY"));
        assert_eq!(tpr.variants[0].conditions, [Condition { node: POINTS.into(), value: "ELECTRICITY".into() }]);
        let pick = |fuel: Option<&'static str>| tpr.pick(move |node| if node == POINTS { fuel } else { None });
        assert!(matches!(pick(Some("ELECTRICITY")), Pick::Constraint(_)));
        assert!(matches!(pick(Some("GAS")), Pick::Foreign));
        assert!(matches!(pick(None), Pick::Undecided));
    }

    #[test]
    fn each_transaction_type_has_its_own_reasons() {
        let contract = Contract::built_in().unwrap();
        let reason = contract.field("ledgers.current_statement_transactions.reason").unwrap();
        let takes = |kind: &'static str, value: &str| match reason.pick(move |_| Some(kind)) {
            Pick::Constraint(constraint) => constraint.check_text(value).is_ok(),
            Pick::Foreign | Pick::Undecided => false,
        };
        assert!(takes("REPAYMENT", "FULL_CREDIT_REFUND"));
        assert!(!takes("PAYMENT", "FULL_CREDIT_REFUND"));
        assert!(!takes("SUPPLY_CHARGE", "FULL_CREDIT_REFUND"));
    }

    #[test]
    fn a_condition_on_one_of_two_nodes_is_enough() {
        let contract = Contract::built_in().unwrap();
        let value = contract.field("supply_addresses.meter_points.agreements.characteristics.value").unwrap();
        let node = "supply_addresses.meter_points.agreements.characteristics";
        assert!(value.variants.iter().all(|variant| variant.conditions.len() == 1));
        let pick = value.pick(|at| (at == node).then_some("gbr-electricity.meter-rate-profile"));
        let Pick::Constraint(constraint) = pick else { panic!("no variant: {pick:?}") };
        assert!(constraint.check_text("multi_rate").is_ok());
        assert!(constraint.check_text("DIRECT_DEBIT").is_err());
    }

    #[test]
    fn a_field_without_variants_needs_no_discriminator() {
        let contract = Contract::built_in().unwrap();
        let postcode = contract.field("supply_addresses.supply_postcode").unwrap();
        assert!(matches!(postcode.pick(|_| None), Pick::Constraint(_)));
        assert_eq!(postcode.variants[0].name, None);
    }

    #[test]
    fn the_nearest_value_ignores_case() {
        let list = ValueList::new("means".into(), vec![String::new(), "DD".into(), "MANUAL".into()], false);
        assert_eq!(list.nearest("manual"), Some("MANUAL"));
        assert_eq!(list.nearest("MANAUL"), Some("MANUAL"));
        assert_eq!(list.nearest("zzz"), None);
        assert!(list.contains("") && !list.contains("dd"));
    }
}
