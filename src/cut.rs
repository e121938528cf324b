//! Where a test may cut the process off: at the boundaries of durability.
//!
//! | point | what is durable | what the next run does |
//! | --- | --- | --- |
//! | `mid-stage` | a part of the stage | reads the extract again |
//! | `mid-build` | payloads that no ledger names | builds again |
//! | `before-intent` | nothing of the create | sends it |
//! | `mid-commit` | nothing of what the commit holds | as before the commit |
//! | `after-intent` | the intent; nothing was sent | reads the status first |
//! | `after-send` | the intent; the request is on its way | reads the status first |
//! | `after-reply` | the intent; the target has answered | reads the status first |
//! | `after-outcome` | the outcome | follows it |
//! | `after-status` | nothing of what was read | reads again |
//! | `mid-report` | a part of a page under another name | nothing; the old page is whole |

use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A boundary between what is durable and what is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutPoint {
    /// The extract is staged, or its stage is saved but for its name.
    MidStage,
    /// Payloads are written; the ledger does not know them.
    MidBuild,
    /// The create is decided on; nothing is written.
    BeforeIntent,
    /// Changes of several accounts are made; their one commit is not.
    MidCommit,
    /// The intent is durable; nothing is sent.
    AfterIntent,
    /// The request is on its way; no reply is here.
    AfterSend,
    /// The reply is here; nothing of it is written.
    AfterReply,
    /// The outcome is durable.
    AfterOutcome,
    /// The status is read; nothing of it is written.
    AfterStatus,
    /// A report is written but for its name.
    MidReport,
}

impl CutPoint {
    /// Every point and how it is spelt, in the order of a run.
    pub const ALL: [(&'static str, Self); 10] = [
        ("mid-stage", Self::MidStage),
        ("mid-build", Self::MidBuild),
        ("before-intent", Self::BeforeIntent),
        ("mid-commit", Self::MidCommit),
        ("after-intent", Self::AfterIntent),
        ("after-send", Self::AfterSend),
        ("after-reply", Self::AfterReply),
        ("after-outcome", Self::AfterOutcome),
        ("after-status", Self::AfterStatus),
        ("mid-report", Self::MidReport),
    ];
}

/// The one cut of this process.
static ARMED: OnceLock<Cut> = OnceLock::new();

/// The n-th time it comes to a point.
#[derive(Debug)]
struct Cut {
    point: CutPoint,
    left: AtomicU32,
}

/// Lets the process end as a power cut would when it comes to `text`: `POINT`, or `POINT:N` for the n-th time.
pub fn arm(text: &str) -> Result<(), String> {
    let cut = text.parse()?;
    // The first one counts: a process has one end.
    let _ = ARMED.set(cut);
    Ok(())
}

/// To be called at every boundary; does not return from the one that is armed.
pub fn reached(point: CutPoint) {
    if is_due(point) {
        std::process::abort();
    }
}

/// Whether this is where the process is to be cut off, for a caller that cuts a little later.
pub fn is_due(point: CutPoint) -> bool {
    ARMED.get().is_some_and(|cut| cut.is_due(point))
}

impl Cut {
    fn is_due(&self, point: CutPoint) -> bool {
        self.point == point && self.left.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

impl FromStr for Cut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, nth) = text.split_once(':').unwrap_or((text, "1"));
        let point = CutPoint::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, point)| point);
        match (point, nth.parse()) {
            (Some(point), Ok(nth)) if nth > 0 => Ok(Self { point, left: AtomicU32::new(nth) }),
            _ => {
                let names = CutPoint::ALL.map(|(name, _)| name).join(", ");
                Err(format!("`{text}` is no cut point; expected one of {names}, and `:N` for the n-th time"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_spelt_with_its_count() {
        let cut: Cut = "after-reply:3".parse().unwrap();
        let due = [(); 5].map(|()| cut.is_due(CutPoint::AfterReply));
        assert_eq!(due, [false, false, true, false, false]);
        assert!(!cut.is_due(CutPoint::AfterSend));
        assert!("after-reply:0".parse::<Cut>().is_err());
        assert!("after-lunch".parse::<Cut>().unwrap_err().contains("before-intent"));
    }
}
