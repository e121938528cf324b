//! `[target.settings]`: how a tenant has set up the import of a supplier's accounts.
//!
//! A switch that nobody publishes the state of has no default: what depends on it is not checked until it is set, and
//! a build says so once. Defaults are what the target's guide shows or its contract says.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// What a tenant wants of the identifiers of billing documents on historical transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DocumentIds {
    /// Every transaction has one.
    Required,
    /// None has one.
    Forbidden,
    /// Either will do.
    Optional,
}

impl fmt::Display for DocumentIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Required => "required",
            Self::Forbidden => "forbidden",
            Self::Optional => "optional",
        })
    }
}

/// The first and the last day of a month on which payments may be scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<u8>")]
#[schemars(with = "[u8; 2]")]
pub struct PaymentDays {
    /// From 1.
    pub first: u8,
    /// Up to 31, and not before the first.
    pub last: u8,
}

/// On these days the target lets payments be scheduled, unless the tenant says otherwise.
impl Default for PaymentDays {
    fn default() -> Self {
        Self { first: 1, last: 28 }
    }
}

impl TryFrom<Vec<u8>> for PaymentDays {
    type Error = &'static str;

    fn try_from(days: Vec<u8>) -> Result<Self, Self::Error> {
        match days.as_slice() {
            [first @ 1..=31, last @ 1..=31] if first <= last => Ok(Self { first: *first, last: *last }),
            _ => Err("expected the first and the last day of a month, such as [1, 28]"),
        }
    }
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $setting:ident $name:ident: $kind:ty)+) => {
        /// The settings as they were set; none: the setting has its default, if it has one.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $name: Option<$kind>,)+
        }

        /// The name of a setting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Setting {
            $($(#[doc = $doc])+ $setting,)+
        }

        impl Setting {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$setting,)+];

            /// Its key in `[target.settings]`.
            #[must_use]
            pub fn key(self) -> &'static str {
                match self { $(Self::$setting => stringify!($name),)+ }
            }
        }

        impl Settings {
            /// Whether `setting` was set.
            #[must_use]
            pub fn is_set(&self, setting: Setting) -> bool {
                match setting { $(Setting::$setting => self.$name.is_some(),)+ }
            }

            /// What was set: as `key = value`, of lists the lengths alone, and all of the value, for a digest.
            #[must_use]
            pub fn set(&self) -> Vec<(String, String)> {
                let mut set = Vec::new();
                $(set.extend(self.$name.as_ref().map(|value| {
                    (format!("{} = {}", stringify!($name), value.shown()), format!("{value:?}"))
                }));)+
                set
            }
        }
    };
}

settings! {
    /// Whether managed accounts are taken.
    ManagedAccounts managed_accounts: bool
    /// Whether the import registers supply points with the industry.
    SendRegistrationFlows send_registration_flows: bool
    /// Whether the import makes a new portfolio for each account that needs one.
    NewPortfolios new_portfolios: bool
    /// Whether historical transactions carry the identifier of their billing document.
    BillingDocumentIds billing_document_ids: DocumentIds
    /// Whether every business account must belong to a business contract that exists.
    EnforceBusinessContracts enforce_business_contracts: bool
    /// Whether accounts are linked to their business through a contract.
    LinkThroughContract link_through_contract: bool
    /// Whether accounts are given to operations teams automatically.
    AutomaticTeams automatic_teams: bool
    /// Whether former supply addresses are imported with their history.
    AddressHistory address_history: bool
    /// Whether consents are taken.
    Consents consents: bool
    /// Whether supply points are left out of the import.
    SkipSupplyPoints skip_supply_points: bool
    /// Whether supply addresses are left out of the import.
    SkipProperties skip_properties: bool
    /// Whether payment instructions without a reference are taken.
    IncompleteInstructions incomplete_instructions: bool
    /// Whether a customer without a role gets one. The default, which the guide's example relies on: yes.
    DefaultRole default_role: bool
    /// Namespaces of details that every customer must have. The default: none.
    RequiredDetails required_details: Vec<String>
    /// The tenant's own e-mail addresses and, with an `@` before them, domains. The default: none.
    InternalEmails internal_emails: Vec<String>
    /// The first and the last day of a month on which payments may be scheduled. The default: the 1st and the 28th.
    PaymentDays payment_days: PaymentDays
}

impl Setting {
    /// Whether rules that depend on it know its default.
    #[must_use]
    pub fn has_default(self) -> bool {
        matches!(self, Self::DefaultRole | Self::RequiredDetails | Self::InternalEmails | Self::PaymentDays)
    }
}

/// A value as it may be kept in a ledger.
trait Shown {
    fn shown(&self) -> String;
}

impl Shown for bool {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for DocumentIds {
    fn shown(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Shown for Vec<String> {
    fn shown(&self) -> String {
        format!("[{} values]", self.len())
    }
}

impl Shown for PaymentDays {
    fn shown(&self) -> String {
        format!("[{}, {}]", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_told_without_what_may_be_private() {
        let settings: Settings =
            toml::from_str("consents = false\nrequired_details = [\"a\"]\npayment_days = [1, 25]").unwrap();
        let set = settings.set();
        let shown: Vec<&str> = set.iter().map(|(shown, _)| shown.as_str()).collect();
        assert_eq!(shown, ["consents = false", "required_details = [1 values]", "payment_days = [1, 25]"]);
        assert!(set[1].1.contains("\"a\""));
        assert!(settings.is_set(Setting::Consents) && !settings.is_set(Setting::NewPortfolios));
        assert!(Setting::ALL.iter().all(|setting| !Settings::default().is_set(*setting)));
        for wrong in ["[1]", "[1, 2, 3]", "[0, 28]", "[28, 1]", "[1, 32]"] {
            let error = toml::from_str::<Settings>(&format!("payment_days = {wrong}")).unwrap_err();
            assert!(error.message().contains("such as [1, 28]"), "{error}");
        }
    }
}
