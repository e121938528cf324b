//! Legacy ids: unique in their file, in no useful order.

/// Hands out the numbers of `[start, start + size)`, scattered, each once before any comes again.
#[derive(Debug)]
pub(super) struct Ids {
    start: u64,
    size: u64,
    offset: u64,
    used: u64,
}

/// A prime that divides no `size` below, so that a walk in steps of it meets every number once.
const STEP: u64 = 6_700_417;

impl Ids {
    fn new(start: u64, size: u64, offset: u64) -> Self {
        Self { start, size, offset, used: 0 }
    }

    /// The next number. [`super::ACCOUNTS_MAX`] sees to it that none comes again that must be unique.
    pub(super) fn take(&mut self) -> u64 {
        let place = (u128::from(self.used) * u128::from(STEP) + u128::from(self.offset)) % u128::from(self.size);
        self.used += 1;
        self.start + place as u64
    }
}

/// The numbering of every kind of record.
#[derive(Debug)]
pub(super) struct Numbering {
    pub(super) account: Ids,
    pub(super) customer: Ids,
    pub(super) address: Ids,
    pub(super) admin: Ids,
    pub(super) electricity: Ids,
    pub(super) gas: Ids,
    /// Unique at a meter point is all that a serial number is.
    pub(super) serial: Ids,
    pub(super) reading: Ids,
    pub(super) ledger: Ids,
    pub(super) transaction: Ids,
    pub(super) schedule: Ids,
    pub(super) note: Ids,
    pub(super) statement: Ids,
    pub(super) debt: Ids,
    pub(super) mailbox: Ids,
}

impl Numbering {
    /// The numbering that belongs to `seed`: another seed starts elsewhere.
    pub(super) fn new(seed: u64) -> Self {
        let offset = |kind: u64| seed.wrapping_mul(7_919).wrapping_add(kind * 104_729) % 1_000_000_007;
        let digits = |count: u32, kind: u64| Ids::new(10_u64.pow(count - 1), 9 * 10_u64.pow(count - 1), offset(kind));
        Self {
            account: digits(8, 1),
            customer: digits(10, 2),
            address: digits(9, 3),
            admin: digits(8, 4),
            electricity: Ids::new(0, 10_u64.pow(10), offset(5)),
            gas: digits(8, 6),
            serial: Ids::new(0, 10_u64.pow(6), offset(7)),
            reading: digits(11, 8),
            ledger: digits(9, 9),
            transaction: digits(11, 10),
            schedule: digits(9, 11),
            note: digits(10, 12),
            statement: digits(10, 13),
            debt: digits(8, 14),
            mailbox: digits(9, 15),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_handed_out_once() {
        let mut ids = Ids::new(10, 1000, 777);
        let mut seen: Vec<u64> = (0..1000).map(|_| ids.take()).collect();
        assert_ne!(seen[..3], [10, 11, 12]);
        seen.sort_unstable();
        assert_eq!(seen, (10..1010).collect::<Vec<_>>());
    }
}
