//! What builds count and sum, and what payloads come to, measure by measure.
//!
//! What one payload comes to is a blob of three numbers a measure, each in seven bits a byte, the lowest first, the
//! highest bit set but in the last:
//!
//! | number | is |
//! | --- | --- |
//! | the measure's row | as it is |
//! | how many objects or amounts | as it is |
//! | what they come to | twice the pence; or, beyond whole pence, twice the 10⁻¹⁵ pounds and one more; both with the sign as the lowest bit (zigzag) |

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::build::BuildWriter;
use super::{BuildId, LedgerError};
use crate::account::{AccountKey, Digest};
use crate::money::{Amount, Total};

/// A measure's row in its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeasureId(pub(super) i64);

/// What names a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MeasureName<'n> {
    /// The entity's path; empty for the account.
    pub entity: &'n str,
    /// For money, the field's path below it; empty: objects are counted.
    pub field: &'n str,
    /// The code of its billing ledger; empty: none, or not told.
    pub ledger: &'n str,
    /// The object's variant; empty: none.
    pub variant: &'n str,
    /// 1 or -1 for money, by the sign; 0 for objects.
    pub sign: i8,
}

/// What a build's numbers are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Money: what the cells say.
    Source,
    /// Of it: cells that their columns could not hold.
    Unreadable,
    /// Of records that stand elsewhere too.
    Duplicate,
    /// Of records whose parents are lost or missing.
    Orphaned,
    /// Of accounts that were not asked for.
    NotSelected,
    /// Of records, or cells, that the mapping leaves out.
    Filtered,
    /// Of accounts that were rejected.
    Rejected,
    /// What the payloads come to.
    Payload,
    /// Records that an entity used.
    Records,
    /// Of them, those without an object.
    Empty,
}

impl Stage {
    /// As the ledger spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Unreadable => "unreadable",
            Self::Duplicate => "duplicate",
            Self::Orphaned => "orphaned",
            Self::NotSelected => "not_selected",
            Self::Filtered => "filtered",
            Self::Rejected => "rejected",
            Self::Payload => "payload",
            Self::Records => "records",
            Self::Empty => "empty",
        }
    }
}

/// The contract's name of what an account is worth when it moves.
const TRANSFER_BALANCE: &str = "transfer_balance";

/// The totals of a build, by stage and measure.
pub(super) type StageTotals = BTreeMap<(Stage, MeasureId), Total>;

impl BuildWriter<'_> {
    /// The row of a measure, which is made if there is none.
    pub fn measure(&mut self, name: &MeasureName<'_>) -> Result<MeasureId, LedgerError> {
        let MeasureName { entity, field, ledger, variant, sign } = *name;
        let find = || -> rusqlite::Result<i64> {
            let known = self
                .transaction
                .prepare_cached(
                    "SELECT id FROM measure WHERE entity = ? AND field = ? AND ledger = ? AND variant = ? AND sign = ?",
                )?
                .query_row(params![entity, field, ledger, variant, sign], |row| row.get(0))
                .optional()?;
            if let Some(known) = known {
                return Ok(known);
            }
            self.transaction
                .prepare_cached("INSERT INTO measure (entity, field, ledger, variant, sign) VALUES (?, ?, ?, ?, ?)")?
                .execute(params![entity, field, ledger, variant, sign])?;
            Ok(self.transaction.last_insert_rowid())
        };
        let id = find().map(MeasureId).map_err(|e| self.sql("record what payloads are added up by", e))?;
        if field.is_empty() {
            self.objects.insert(id, entity.to_owned());
        } else if (entity, field) == ("", TRANSFER_BALANCE) {
            self.transfers.push(id);
        }
        Ok(id)
    }

    /// Adds to what the build has counted and summed.
    pub fn came(&mut self, stage: Stage, measure: MeasureId, total: Total) {
        *self.totals.entry((stage, measure)).or_default() += total;
    }

    /// Adds money that is in no payload to what the build has summed, and lists it by its account where one is known.
    pub fn lost(
        &mut self,
        account: Option<&AccountKey>,
        cause: Stage,
        measure: MeasureId,
        total: Total,
    ) -> Result<(), LedgerError> {
        self.came(cause, measure, total);
        let insert = || {
            let account = account.map(|key| self.known(key)).transpose()?.flatten().map(|known| known.id);
            insert_lost(&self.transaction, self.id, account, cause, measure, total)
        };
        insert().map_err(|e| self.sql("list money that is in no payload", e))
    }

    /// By entity: objects of the accounts that were rejected late.
    #[must_use]
    pub fn late_objects(&self) -> &BTreeMap<String, u64> {
        &self.late_objects
    }

    /// Keeps what the payload of `account` comes to.
    pub(super) fn keep_measures(
        &mut self,
        account: i64,
        digest: Digest,
        came: &[(MeasureId, Total)],
    ) -> rusqlite::Result<()> {
        if came.is_empty() {
            return Ok(());
        }
        let money: Amount = came.iter().map(|(_, total)| total.sum).sum();
        let mut transfer: Option<Amount> = None;
        let mut blob = Vec::with_capacity(8 * came.len());
        for (measure, total) in came {
            if self.transfers.contains(measure) {
                transfer = Some(transfer.unwrap_or_default() + total.sum);
            }
            push(&mut blob, *measure, *total);
            let at = measure.0 as usize;
            if self.made.len() <= at {
                self.made.resize(at + 1, Total::default());
            }
            self.made[at] += *total;
        }
        self.transaction
            .prepare_cached(
                "INSERT INTO payload_measure VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET build = excluded.build, \
                 transfer = excluded.transfer, pence = excluded.pence, measures = excluded.measures",
            )?
            .execute(params![
                account,
                digest,
                self.id.0,
                transfer.map(|amount| amount.parts().0),
                money.parts().0,
                blob
            ])?;
        Ok(())
    }

    /// What the payload of `account` with `digest` comes to is rejected after all.
    pub(super) fn reject_measures(&mut self, account: i64, digest: Digest) -> rusqlite::Result<()> {
        let blob: Option<Vec<u8>> = self
            .transaction
            .prepare_cached("SELECT measures FROM payload_measure WHERE account = ? AND digest = ? AND build = ?")?
            .query_row(params![account, digest, self.id.0], |row| row.get(0))
            .optional()?;
        for (measure, total) in blob.as_deref().map(read).unwrap_or_default() {
            if let Some(made) = self.made.get_mut(measure.0 as usize) {
                *made -= total;
            }
            *self.totals.entry((Stage::Rejected, measure)).or_default() += total;
            if let Some(entity) = self.objects.get(&measure) {
                *self.late_objects.entry(entity.clone()).or_default() += total.count;
            } else {
                insert_lost(&self.transaction, self.id, Some(account), Stage::Rejected, measure, total)?;
            }
        }
        Ok(())
    }

    /// Writes the build's totals down, and drops what earlier builds said of accounts that this one has seen.
    pub(super) fn keep_totals(&self) -> rusqlite::Result<()> {
        let mut insert = self.transaction.prepare_cached("INSERT INTO build_measure VALUES (?, ?, ?, ?, ?, ?)")?;
        let made = self.made.iter().enumerate().map(|(id, total)| ((Stage::Payload, MeasureId(id as i64)), *total));
        let totals = self.totals.iter().map(|(of, total)| (*of, *total)).chain(made);
        for ((stage, measure), total) in totals.filter(|(_, total)| !total.is_empty()) {
            let (pence, rest) = total.sum.parts();
            insert.execute(params![self.id.0, stage.as_str(), measure.0, total.count as i64, pence, rest])?;
        }
        self.transaction.execute(
            "DELETE FROM lost_money WHERE build <> ?1 AND (account IS NULL OR build <> (SELECT build FROM account \
             WHERE account.id = lost_money.account))",
            [self.id.0],
        )?;
        self.transaction.execute(
            &format!(
                "DELETE FROM payload_measure WHERE {} AND NOT EXISTS (SELECT 1 FROM account WHERE \
                 id = payload_measure.account AND (digest IS payload_measure.digest OR accepted_digest IS \
                 payload_measure.digest)) AND NOT EXISTS (SELECT 1 FROM intent WHERE intent.account = \
                 payload_measure.account AND intent.digest = payload_measure.digest)",
                self.may_be_stale()
            ),
            [self.id.0],
        )?;
        Ok(())
    }
}

fn insert_lost(
    transaction: &Transaction<'_>,
    build: BuildId,
    account: Option<i64>,
    cause: Stage,
    measure: MeasureId,
    total: Total,
) -> rusqlite::Result<()> {
    let (pence, rest) = total.sum.parts();
    transaction
        .prepare_cached(
            "INSERT INTO lost_money (build, account, cause, measure, count, pence, rest) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![build.0, account, cause.as_str(), measure.0, total.count as i64, pence, rest])?;
    Ok(())
}

fn push(blob: &mut Vec<u8>, measure: MeasureId, total: Total) {
    let (pence, rest) = total.sum.parts();
    let zigzag = |number: i128| ((number << 1) ^ (number >> 127)) as u128;
    push_number(blob, u128::from(measure.0.unsigned_abs()));
    push_number(blob, u128::from(total.count));
    push_number(
        blob,
        if rest == 0 && Amount::pence(pence) == total.sum {
            zigzag(i128::from(pence)) << 1
        } else {
            zigzag(total.sum.units()) << 1 | 1
        },
    );
}

fn push_number(blob: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        blob.push(number as u8 | 0x80);
        number >>= 7;
    }
    blob.push(number as u8);
}

/// What a payload comes to, as it is kept; what cannot be read is left out, and is missed by the identities.
pub(super) fn read(mut blob: &[u8]) -> Vec<(MeasureId, Total)> {
    let unzigzag = |number: u128| (number >> 1) as i128 ^ -((number & 1) as i128);
    let mut came = Vec::with_capacity(blob.len() / 4);
    while let (Some(measure), Some(count), Some(sum)) =
        (take_number(&mut blob), take_number(&mut blob), take_number(&mut blob))
    {
        let signed = unzigzag(sum >> 1);
        let sum = match (sum & 1, i64::try_from(signed)) {
            (0, Ok(pence)) => Amount::pence(pence),
            _ => Amount::of_units(signed),
        };
        came.push((MeasureId(measure as i64), Total { count: count as u64, sum }));
    }
    came
}

fn take_number(blob: &mut &[u8]) -> Option<u128> {
    let mut number = 0;
    let mut shift = 0;
    loop {
        let (byte, rest) = blob.split_first()?;
        *blob = rest;
        number |= u128::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_a_payload_comes_to_is_read_back(came in proptest::collection::vec((0..1_000_000_i64, any::<u32>(), prop_oneof![
            any::<i64>().prop_map(Amount::pence),
            (any::<i64>(), 0..16_u32).prop_map(|(unscaled, places)| Amount::decimal(unscaled / 1000, places)),
        ]), 0..20)) {
            let came: Vec<_> = came
                .into_iter()
                .map(|(measure, count, sum)| (MeasureId(measure), Total { count: u64::from(count), sum }))
                .collect();
            let mut blob = Vec::new();
            for (measure, total) in &came {
                push(&mut blob, *measure, *total);
            }
            prop_assert_eq!(read(&blob), came);
        }

        #[test]
        fn no_blob_is_a_panic(blob in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&blob);
        }
    }
}
