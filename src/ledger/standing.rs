//! What the payloads of all accounts come to, by where the accounts stand and by what became of their creates.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::Serialize;

use super::measure::{MeasureId, read};
use super::submit::place;
use super::{BuildId, Ledger, LedgerError, PayloadPlace, State};
use crate::account::Digest;
use crate::money::{Amount, Total};

/// A measure as the ledger names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MeasureRow {
    /// The entity's path; empty for the account.
    pub entity: String,
    /// For money, the field's path below it; empty: objects are counted.
    pub field: String,
    /// The code of the billing ledger; empty: none, or not told.
    pub ledger: String,
    /// The object's variant; empty: none.
    pub variant: String,
    /// 1 or -1 for money, by the sign; 0 for objects.
    pub sign: i8,
}

/// Totals by measure.
pub type Measured = BTreeMap<MeasureId, Total>;

/// What the payloads of all accounts come to. Accounts that somebody else imported are in [`Standing::by_state`] alone.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Of the newest build's payloads.
    pub built: Measured,
    /// Of the newest creates that the target took, by their intents.
    pub accepted: Measured,
    /// Of accounts whose state, or an operator, says that it took one.
    pub accepted_by_state: Measured,
    /// Of creates that it refused, by their intents.
    pub refused: Measured,
    /// Of accounts whose state, or an operator, says so.
    pub refused_by_state: Measured,
    /// Of creates of which nobody knows, by their intents.
    pub doubtful: Measured,
    /// Of accounts whose state says so.
    pub doubtful_by_state: Measured,
    /// By wave and state, and by measure: accounts, and what their payloads come to.
    pub by_state: BTreeMap<(String, String), BTreeMap<MeasureId, (u64, Total)>>,
    /// Accounts with a payload of a build that kept what its payloads come to.
    pub payloads: u64,
    /// Of those, the ones for which it is still there.
    pub measured: u64,
    /// All money of all payloads, as it is kept beside the measures.
    pub money: Amount,
    /// The same by the measures.
    pub money_by_measures: Amount,
}

/// An account's row, as far as its standing goes.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own that the row answers")]
struct Account {
    wave: String,
    state: State,
    is_foreign: bool,
    is_newest_build: bool,
    is_ready: bool,
    /// What its newest payload comes to.
    now: Option<Vec<u8>>,
    /// What the payload comes to that was sent last.
    sent: Option<Vec<u8>>,
    /// What the payload comes to that the target took.
    accepted: Option<Vec<u8>>,
    /// Of the create that sent it; none: nothing was sent.
    outcome: Option<String>,
    is_put_back: bool,
    is_to_be_measured: bool,
}

impl Ledger {
    /// The measures, by row.
    pub fn measures(&self) -> Result<BTreeMap<MeasureId, MeasureRow>, LedgerError> {
        let rows = self.rows(
            "list what payloads are added up by",
            "SELECT id, entity, field, ledger, variant, sign FROM measure",
            [],
            |row| {
                let measure = MeasureRow {
                    entity: row.get(1)?,
                    field: row.get(2)?,
                    ledger: row.get(3)?,
                    variant: row.get(4)?,
                    sign: row.get(5)?,
                };
                Ok((MeasureId(row.get(0)?), measure))
            },
        )?;
        Ok(rows.into_iter().collect())
    }

    /// What a build has counted and summed, by the stage's name and the measure; nothing of a build that kept nothing.
    pub fn build_measures(&self, build: BuildId) -> Result<BTreeMap<(String, MeasureId), Total>, LedgerError> {
        let rows = self.rows(
            "tell what a build came to",
            "SELECT stage, measure, count, pence, rest FROM build_measure WHERE build = ?",
            [build.0],
            |row| {
                let sum = Amount::of_parts(row.get(3)?, row.get(4)?);
                Ok(((row.get(0)?, MeasureId(row.get(1)?)), Total { count: row.get::<_, i64>(2)? as u64, sum }))
            },
        )?;
        Ok(rows.into_iter().collect())
    }

    /// What the payloads of all accounts come to.
    pub fn standing(&self) -> Result<Standing, LedgerError> {
        let read = || -> rusqlite::Result<Standing> {
            let mut standing = Standing::default();
            // The newest create that was sent, as in `Ledger::tally`; what the target took is the newest of ours that
            // may have arrived.
            let mut statement = self.connection.prepare(
                "WITH newest AS (SELECT account, max(attempt) AS attempt FROM intent \
                     WHERE coalesce(outcome, 'unknown') <> 'not_sent' GROUP BY account), \
                 first AS (SELECT min(build) AS build FROM build_measure) \
                 SELECT coalesce(account.wave, ''), state, origin IS 'foreign', account.build = (SELECT max(id) FROM build), \
                     verdict = 'ready', now.measures, sent.measures, taken.measures, \
                     iif(intent.account IS NULL, NULL, coalesce(outcome, 'unknown')), \
                     EXISTS (SELECT 1 FROM intervention WHERE intervention.account = account.id \
                         AND act = 'retry' AND at >= written_at), \
                     account.digest IS NOT NULL AND account.build >= first.build, \
                     now.pence \
                 FROM account JOIN first \
                 LEFT JOIN newest ON newest.account = account.id \
                 LEFT JOIN intent ON intent.account = account.id AND intent.attempt = newest.attempt \
                 LEFT JOIN payload_measure AS now ON now.account = account.id AND now.digest = account.digest \
                 LEFT JOIN payload_measure AS sent ON sent.account = account.id AND sent.digest = \
                     CASE WHEN outcome IN ('scheduled', 'received', 'already_imported') THEN \
                         (SELECT digest FROM intent AS taken_by WHERE taken_by.account = account.id \
                          AND effective AND NOT presumed ORDER BY attempt DESC LIMIT 1) ELSE intent.digest END \
                 LEFT JOIN payload_measure AS taken ON taken.account = account.id AND taken.digest = accepted_digest",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let account = Account {
                    wave: row.get(0)?,
                    state: row.get(1)?,
                    is_foreign: row.get(2)?,
                    is_newest_build: row.get(3)?,
                    is_ready: row.get(4)?,
                    now: row.get(5)?,
                    sent: row.get(6)?,
                    accepted: row.get(7)?,
                    outcome: row.get(8)?,
                    is_put_back: row.get(9)?,
                    is_to_be_measured: row.get::<_, Option<bool>>(10)?.unwrap_or(false),
                };
                if let Some(pence) = row.get::<_, Option<i64>>(11)? {
                    standing.money += Amount::pence(pence);
                }
                standing.add(account);
            }
            Ok(standing)
        };
        read().map_err(|e| self.sql("add up what the payloads come to", e))
    }

    /// Hands over where every payload lies that the ledger still knows, with its digest, as they lie on the disk.
    pub fn each_payload(&self, mut visit: impl FnMut(BuildId, PayloadPlace, Digest)) -> Result<(), LedgerError> {
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(
                "SELECT build, digest, block_offset, block_bytes, start, bytes FROM payload ORDER BY build, block_offset, start",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                visit(BuildId(row.get(0)?), place(row, 2)?, row.get(1)?);
            }
            Ok(())
        };
        read().map_err(|e| self.sql("tell where payloads lie", e))
    }

    /// Keeps what the payloads of the accounts in each state come to, in place of what was kept before.
    pub fn set_state_measures(&mut self, standing: &Standing) -> Result<(), LedgerError> {
        self.write("keep what the payloads come to", |transaction, _| {
            transaction.execute("DELETE FROM state_measure", [])?;
            let mut insert = transaction.prepare_cached("INSERT INTO state_measure VALUES (?, ?, ?, ?, ?, ?, ?)")?;
            for ((wave, state), measures) in &standing.by_state {
                for (measure, (accounts, total)) in measures {
                    let (pence, rest) = total.sum.parts();
                    let (accounts, count) = (*accounts as i64, total.count as i64);
                    insert.execute(params![wave, state, measure.0, accounts, count, pence, rest])?;
                }
            }
            Ok(())
        })
    }
}

impl Standing {
    fn add(&mut self, account: Account) {
        if account.is_to_be_measured {
            self.payloads += 1;
            self.measured += u64::from(account.now.is_some());
        }
        let now = account.now.as_deref().map(read).unwrap_or_default();
        let money: Amount = now.iter().map(|(_, total)| total.sum).sum();
        self.money_by_measures += Amount::pence(money.parts().0);
        if account.is_newest_build && account.is_ready {
            merge(&mut self.built, &now);
        }
        let sent = account.sent.as_deref().map(read);
        // What the state speaks of: the payload that was sent, once one was.
        let spoken = match account.state {
            State::Ready | State::Held | State::Rejected | State::Withdrawn => now.clone(),
            // Of what somebody else imported, nobody here knows the payload: ours stands for it.
            _ if account.outcome.is_none() || account.is_foreign => now.clone(),
            State::Submitted | State::Processed => account.accepted.as_deref().map(read).unwrap_or_default(),
            _ => sent.clone().unwrap_or_default(),
        };
        let state = if account.is_foreign { "foreign" } else { account.state.as_str() };
        if !spoken.is_empty() {
            let of_state = self.by_state.entry((account.wave, state.to_owned())).or_default();
            for (measure, total) in &spoken {
                let (accounts, sum) = of_state.entry(*measure).or_default();
                *accounts += 1;
                *sum += *total;
            }
        }
        if account.is_foreign {
            return;
        }
        let sent = sent.unwrap_or_default();
        let put_back = account.is_put_back
            && matches!(account.state, State::Ready | State::Rejected | State::Withdrawn | State::Held);
        let (by_intent, by_state) = match account.outcome.as_deref() {
            Some("scheduled" | "received" | "already_imported") => {
                (Some(&mut self.accepted), &mut self.accepted_by_state)
            }
            Some("refused") => (Some(&mut self.refused), &mut self.refused_by_state),
            Some("unknown") => (Some(&mut self.doubtful), &mut self.doubtful_by_state),
            _ => (None, &mut self.accepted_by_state),
        };
        if let Some(by_intent) = by_intent {
            merge(by_intent, &sent);
            if put_back {
                merge(by_state, &sent);
            }
        }
        match account.state {
            State::Submitted | State::Processed | State::Errored | State::Cancelled => {
                merge(&mut self.accepted_by_state, &spoken);
            }
            State::Refused => merge(&mut self.refused_by_state, &spoken),
            State::Sending | State::Unknown => merge(&mut self.doubtful_by_state, &spoken),
            _ => {}
        }
    }
}

fn merge(totals: &mut Measured, came: &[(MeasureId, Total)]) {
    for (measure, total) in came {
        *totals.entry(*measure).or_default() += *total;
    }
}
