//! Where a test may cut the process off: at the boundaries of durability.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

/// A boundary between what is durable and what is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutPoint {
    /// The create is decided on; nothing is written.
    BeforeIntent,
    /// The intent is durable; nothing is sent.
    AfterIntent,
    /// The reply is here; nothing of it is written.
    AfterReply,
    /// The outcome is durable.
    AfterOutcome,
    /// The status is read; nothing of it is written.
    AfterStatus,
}

impl CutPoint {
    const ALL: [(&'static str, Self); 5] = [
        ("before-intent", Self::BeforeIntent),
        ("after-intent", Self::AfterIntent),
        ("after-reply", Self::AfterReply),
        ("after-outcome", Self::AfterOutcome),
        ("after-status", Self::AfterStatus),
    ];
}

/// Ends the process, as a power cut would, the n-th time it comes to a point.
#[derive(Debug)]
pub struct Cut {
    point: CutPoint,
    left: AtomicU32,
}

impl Cut {
    /// To be called at every boundary.
    pub(super) fn reached(&self, point: CutPoint) {
        if self.point == point && self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            std::process::abort();
        }
    }
}

impl FromStr for Cut {
    type Err = String;

    /// Reads `POINT` or `POINT:N`, such as `after-intent:3`: the third time; the first without a number.
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
        assert_eq!((cut.point, cut.left.into_inner()), (CutPoint::AfterReply, 3));
        assert!("after-reply:0".parse::<Cut>().is_err());
        assert!("after-lunch".parse::<Cut>().unwrap_err().contains("before-intent"));
    }
}
