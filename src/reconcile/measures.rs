//! The identities of measures: money by field, variant and sign, objects by entity, supply points by type.
//!
//! | left | right |
//! | --- | --- |
//! | money in the cells of a field, by their text | in payloads, by their bytes, + unreadable, duplicate, orphaned, not selected, filtered and rejected, by the columns |
//! | records that an entity used, by the books | its objects in payloads, by the walk, + records without an object |
//! | what the payloads of the newest build came to when it was made | what is kept of the accounts' payloads |
//! | what the target took, refused or may have, by the intents | by the accounts' states, + put back by `retry` |
//! | payloads in the ledger | payloads of which is kept what they come to |
//! | all money of all payloads, as it is kept beside the measures | by the measures |
//!
//! Accounts that somebody else imported are outside.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::measure::MeasureId;
use crate::ledger::standing::{MeasureRow, Measured, Standing};
use crate::ledger::{Identity, IdentityKind};
use crate::money::Total;

/// The entity whose objects are supply points.
const SUPPLY_POINTS: &str = "supply_addresses.meter_points";

/// What the identities of measures compare.
#[derive(Clone, Debug, Default)]
pub struct MeasureCounts {
    /// The measures.
    pub measures: BTreeMap<MeasureId, MeasureRow>,
    /// Of the newest build, by stage; empty: it kept nothing, or there is none.
    pub build: BTreeMap<(String, MeasureId), Total>,
    /// Of all accounts.
    pub standing: Standing,
}

/// Stages of a build whose money is in no payload.
const CAUSES: [&str; 6] = ["unreadable", "duplicate", "orphaned", "not_selected", "filtered", "rejected"];

/// The identities of `counts`; none of a ledger none of whose builds kept any.
#[must_use]
pub fn identities(counts: &MeasureCounts) -> Vec<Identity> {
    let standing = &counts.standing;
    let mut identities = Vec::new();
    if !counts.build.is_empty() {
        identities.extend(of_source(counts));
        identities.extend(of_entities(counts));
        let made = of_stage(counts, "payload");
        identities.extend(pairs(counts, "made = kept", &made, &standing.built));
    }
    if standing.payloads > 0 || !standing.by_state.is_empty() {
        for (name, by_intent, by_state) in [
            (
                "accepted = submitted + processed + errored + cancelled + put back",
                &standing.accepted,
                &standing.accepted_by_state,
            ),
            ("refused = refused accounts + put back", &standing.refused, &standing.refused_by_state),
            ("in doubt = sending + unknown", &standing.doubtful, &standing.doubtful_by_state),
        ] {
            identities.extend(pairs(counts, name, by_intent, by_state));
        }
        let (left, right) = (standing.payloads as i64, standing.measured as i64);
        let name = "payloads = payloads whose money is kept".to_owned();
        identities.push(Identity { name, kind: IdentityKind::Accounts, unit: "accounts", left, right });
        let (left, right) = (standing.money.parts().0, standing.money_by_measures.parts().0);
        let name = "all money of all payloads = by field".to_owned();
        identities.push(Identity { name, kind: IdentityKind::Money, unit: "pence", left, right });
    }
    identities
}

fn of_stage(counts: &MeasureCounts, stage: &str) -> Measured {
    counts.build.iter().filter(|((of, _), _)| of == stage).map(|((_, measure), total)| (*measure, *total)).collect()
}

/// The measures by name, but for their billing ledger: what cells say is not told by it.
fn without_ledger(counts: &MeasureCounts, totals: &Measured) -> BTreeMap<MeasureRow, Total> {
    let mut named: BTreeMap<MeasureRow, Total> = BTreeMap::new();
    for (id, total) in totals {
        if let Some(measure) = counts.measures.get(id) {
            *named.entry(MeasureRow { ledger: String::new(), ..measure.clone() }).or_default() += *total;
        }
    }
    named
}

/// What cells say against what became of it.
fn of_source(counts: &MeasureCounts) -> Vec<Identity> {
    let source = without_ledger(counts, &of_stage(counts, "source"));
    let mut explained: BTreeMap<MeasureRow, Total> = without_ledger(counts, &of_stage(counts, "payload"));
    for cause in CAUSES {
        for (measure, total) in without_ledger(counts, &of_stage(counts, cause)) {
            *explained.entry(measure).or_default() += total;
        }
    }
    let names: BTreeSet<&MeasureRow> = source.keys().chain(explained.keys()).filter(|m| !m.field.is_empty()).collect();
    let of = |totals: &BTreeMap<MeasureRow, Total>, name| totals.get(name).copied().unwrap_or_default();
    names
        .into_iter()
        .flat_map(|name| amounts(name, "cells = payloads + listed", of(&source, name), of(&explained, name)))
        .collect()
}

/// Records that entities used against their objects.
fn of_entities(counts: &MeasureCounts) -> Vec<Identity> {
    let mut entities: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for ((stage, id), total) in &counts.build {
        let Some(measure) = counts.measures.get(id).filter(|measure| measure.field.is_empty()) else { continue };
        let (records, objects) = entities.entry(&measure.entity).or_default();
        match stage.as_str() {
            "records" => *records += total.count,
            "payload" | "empty" => *objects += total.count,
            _ => {}
        }
    }
    let identity = |(entity, (records, objects)): (&str, (u64, u64))| Identity {
        name: format!("{}: records used = objects + empty", entity_name(entity)),
        kind: IdentityKind::Entities,
        unit: "objects",
        left: records as i64,
        right: objects as i64,
    };
    entities.into_iter().map(identity).collect()
}

/// Two sums of the same measures.
fn pairs(counts: &MeasureCounts, name: &str, left: &Measured, right: &Measured) -> Vec<Identity> {
    let ids: BTreeSet<&MeasureId> = left.keys().chain(right.keys()).collect();
    let mut rows: Vec<(&MeasureRow, Total, Total)> = ids
        .into_iter()
        .filter_map(|id| {
            let of = |totals: &Measured| totals.get(id).copied().unwrap_or_default();
            Some((counts.measures.get(id)?, of(left), of(right)))
        })
        .collect();
    rows.sort_by_key(|(measure, ..)| *measure);
    let identities = rows.into_iter().flat_map(|(measure, left, right)| {
        if measure.field.is_empty() {
            vec![objects(measure, name, left, right)]
        } else {
            amounts(measure, name, left, right)
        }
    });
    identities.collect()
}

fn objects(measure: &MeasureRow, what: &str, left: Total, right: Total) -> Identity {
    let is_point = measure.entity == SUPPLY_POINTS;
    Identity {
        name: format!("{}: {what}", measure_name(measure)),
        kind: if is_point { IdentityKind::SupplyPoints } else { IdentityKind::Entities },
        unit: if is_point { "points" } else { "objects" },
        left: left.count as i64,
        right: right.count as i64,
    }
}

/// Amounts in pence; where they are not the same number of amounts, or differ beyond whole pence, that too.
fn amounts(measure: &MeasureRow, what: &str, left: Total, right: Total) -> Vec<Identity> {
    let name = format!("{}: {what}", measure_name(measure));
    let identity = |name: String, unit, left, right| Identity { name, kind: IdentityKind::Money, unit, left, right };
    let ((left_pence, left_rest), (right_pence, right_rest)) = (left.sum.parts(), right.sum.parts());
    let mut identities = vec![identity(name.clone(), "pence", left_pence, right_pence)];
    if left_rest != right_rest || left_rest != 0 {
        identities.push(identity(format!("{name}, beyond pence"), "10⁻¹³ pence", left_rest, right_rest));
    }
    if left.count != right.count {
        identities.push(identity(format!("{name}, amounts"), "amounts", left.count as i64, right.count as i64));
    }
    identities
}

fn entity_name(entity: &str) -> &str {
    if entity.is_empty() { "account" } else { entity }
}

/// `ledgers.current_statement_transactions.amount CHARGE -`.
fn measure_name(measure: &MeasureRow) -> String {
    let MeasureRow { entity, field, ledger, variant, sign } = measure;
    let mut name = entity_name(entity).to_owned();
    if !field.is_empty() {
        name.push('.');
        name.push_str(field);
    }
    if !variant.is_empty() {
        name.push(' ');
        name.push_str(variant);
    }
    if !ledger.is_empty() {
        name.push_str(" [");
        name.push_str(ledger);
        name.push(']');
    }
    match sign {
        1 => name.push_str(" +"),
        -1 => name.push_str(" −"),
        _ => {}
    }
    name
}
