//! The lookups of the extract: the mapping's own, so that the two cannot differ.

use std::fs;
use std::path::Path;

use super::GenerateError;

macro_rules! lookup {
    ($name:literal) => {
        ($name, include_str!(concat!("../../mappings/tentacle/lookups/", $name, ".csv")))
    };
}
/// Every lookup: its name and its text.
pub(super) const LOOKUPS: &[(&str, &str)] = &[
    lookup!("account_type"),
    lookup!("campaign"),
    lookup!("communication_preference"),
    lookup!("contact_channel"),
    lookup!("document_accessibility"),
    lookup!("fuel"),
    lookup!("gas_units"),
    lookup!("payment_type"),
    lookup!("read_type"),
    lookup!("reference_namespace"),
    lookup!("refusal_reason"),
    lookup!("sales_channel"),
    lookup!("schedule_frequency"),
    lookup!("schedule_means"),
    lookup!("smart_interest"),
    lookup!("smart_read_frequency"),
    lookup!("smart_type"),
    lookup!("tariff"),
    lookup!("title"),
    lookup!("transaction"),
    lookup!("whd_account_type"),
    lookup!("whd_group"),
];

/// The codes that people's records are drawn from, and what they mean.
#[derive(Debug)]
pub(super) struct Codes {
    /// Title code and the title itself.
    pub(super) titles: Vec<(&'static str, &'static str)>,
    /// Reasons to refuse a smart meter.
    pub(super) refusal_reasons: Vec<&'static str>,
    /// Campaigns.
    pub(super) campaigns: Vec<&'static str>,
}

impl Codes {
    /// The codes of the lookups in the binary.
    pub(super) fn new() -> Self {
        let codes = |name| rows(name).map(|(code, _)| code).collect();
        Self { titles: rows("title").collect(), refusal_reasons: codes("refusal_reason"), campaigns: codes("campaign") }
    }
}

/// Code and first value of every row of a lookup whose cells need no quotes.
pub(super) fn rows(name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let text = LOOKUPS.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| *text);
    text.lines().skip(1).filter_map(|line| {
        let mut cells = line.split(',');
        Some((cells.next()?, cells.next()?))
    })
}

/// Writes `lookups/*.csv` below `out`.
pub(super) fn write(out: &Path) -> Result<(), GenerateError> {
    let folder = out.join("lookups");
    fs::create_dir_all(&folder).map_err(GenerateError::write(&folder))?;
    for (name, text) in LOOKUPS {
        let path = folder.join(format!("{name}.csv"));
        fs::write(&path, text).map_err(GenerateError::write(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lookup_has_codes() {
        assert_eq!(LOOKUPS.len(), 22);
        for (name, text) in LOOKUPS {
            assert!(!text.contains('"'), "{name} needs a CSV reader");
            assert!(rows(name).all(|(code, value)| !code.is_empty() && !value.is_empty()), "{name}");
            assert!(rows(name).count() >= 2, "{name}");
        }
    }
}
