//! Which request or account meets which fault.
//!
//! The draws depend on the seed, the account and how often it was asked for, never on time or the order in which
//! requests arrive: a run can be repeated, at any concurrency. Storms and outages go by the clock instead, because that is
//! what they are: [`super::schedule`].
//!
//! A file of faults has these fields as its keys; lengths of time are texts such as `"300ms"`:
//!
//! ```toml
//! latency = "5ms"
//! lost_reply_one_in = 20
//! lag = "300ms"
//! imported = { one_in = 50, numbers = ["A-1"] }
//! [[storms]]
//! at = "2s"
//! lasts = "500ms"
//! retry_after = "date"
//! [[outages]]
//! at = "5s"
//! lasts = "1s"
//! how = "refuse"
//! [token]
//! file = "token"
//! requests = 200
//! ```

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::schedule::{Outage, Storm};
use crate::account::{AccountKey, Digest};

/// What goes wrong. The default is nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// How long every reply takes at least.
    #[serde(deserialize_with = "span")]
    pub latency: Duration,
    /// More requests a second than this are answered 429 with `Retry-After`. A bucket of one second's worth.
    pub rate: Option<NonZeroU32>,

    /// One create in so many is answered 503 with HTML, before it took effect.
    pub unavailable_one_in: Option<NonZeroU32>,
    /// One create in so many is answered 500 with HTML, before it took effect.
    pub error_one_in: Option<NonZeroU32>,
    /// One create in so many has its connection cut, before it took effect.
    pub reset_one_in: Option<NonZeroU32>,
    /// One create in so many takes effect, and the connection is cut before the reply.
    pub lost_reply_one_in: Option<NonZeroU32>,
    /// One create in so many takes effect, and is not answered for an hour.
    pub silent_one_in: Option<NonZeroU32>,
    /// One create in so many takes effect, and is answered 504 with HTML.
    pub gateway_one_in: Option<NonZeroU32>,
    /// One create in so many takes effect [`Faults::late`] after it arrived, whether anybody still waits or not, and is
    /// not answered for an hour.
    pub late_one_in: Option<NonZeroU32>,
    /// How late.
    #[serde(deserialize_with = "span")]
    pub late: Duration,

    /// One status read in so many is answered 502 with HTML.
    pub read_error_one_in: Option<NonZeroU32>,
    /// One status read in so many has its connection cut.
    pub read_reset_one_in: Option<NonZeroU32>,
    /// One status read in so many is answered 404 although the import was there before; never two in a row of one account.
    pub flap_one_in: Option<NonZeroU32>,
    /// One status read in so many shows a word that nobody knows.
    pub odd_word_one_in: Option<NonZeroU32>,
    /// One status read in so many shows where the import stood before.
    pub backwards_one_in: Option<NonZeroU32>,
    /// For so long after its acceptance, an import is answered 404.
    #[serde(deserialize_with = "span")]
    pub lag: Duration,

    /// One reply in so many, of refused creates and of status reads, breaks off in its body.
    pub truncated_one_in: Option<NonZeroU32>,
    /// One reply in so many, of refused creates and of status reads, has a body that takes its time.
    pub slow_one_in: Option<NonZeroU32>,
    /// How long such a body takes.
    #[serde(deserialize_with = "span")]
    pub slow_body: Duration,

    /// When everybody is answered 429.
    pub storms: Vec<Storm>,
    /// When nobody is answered.
    pub outages: Vec<Outage>,
    /// A key that runs out; none: the key is good for ever.
    pub token: Option<TokenFault>,

    /// Accounts that somebody else imported before.
    pub imported: Chosen,
    /// Accounts whose first import ends `ERRORED`; a second one succeeds.
    pub errored: Chosen,
}

impl Faults {
    /// Reads a file of faults. The error names the line and what is expected there.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }
}

/// A key that runs out, and where the next one is then.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenFault {
    /// The file that holds the key that is good now.
    pub file: PathBuf,
    /// So many requests it is good for.
    pub requests: NonZeroU32,
}

/// Some accounts: those named, and one in so many of all, by the seed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chosen {
    /// One account in so many.
    pub one_in: Option<NonZeroU32>,
    /// External account numbers, of any supplier.
    pub numbers: BTreeSet<String>,
}

impl Chosen {
    /// Whether account `key` is among them. `purpose` keeps several choices of one seed apart.
    pub(super) fn contains(&self, seed: u64, purpose: &str, key: &AccountKey) -> bool {
        self.numbers.contains(&*key.number) || strikes(self.one_in, seed, purpose, key, 0)
    }
}

/// Reads a length of time.
pub(super) fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text)
        .map_err(|_| serde::de::Error::custom("expected a length of time such as \"300ms\" or \"2s\""))
}

/// Reads a length of time that may be left out.
pub(super) fn optional_span<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    span(from).map(Some)
}

/// Whether the fault `purpose`, which strikes once in `one_in`, strikes the `nth` request for account `key`.
pub(super) fn strikes(one_in: Option<NonZeroU32>, seed: u64, purpose: &str, key: &AccountKey, nth: u32) -> bool {
    one_in.is_some_and(|n| draw(seed, purpose, key, nth).is_multiple_of(u64::from(n.get())))
}

/// A number that looks random and depends on nothing but the arguments.
pub(super) fn draw(seed: u64, purpose: &str, key: &AccountKey, nth: u32) -> u64 {
    let Digest(bytes) = Digest::of(format!("{seed}\0{purpose}\0{}\0{}\0{nth}", key.supplier, key.number).as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> AccountKey {
        AccountKey::new("S", number.to_string())
    }

    #[test]
    fn one_in_ten_is_about_a_tenth_and_the_same_again() {
        let ten = NonZeroU32::new(10);
        let struck: Vec<u32> = (0..10_000).filter(|n| strikes(ten, 7, "x", &key(*n), 1)).collect();
        assert!((850..1_150).contains(&struck.len()), "{}", struck.len());
        assert!(struck.iter().all(|n| strikes(ten, 7, "x", &key(*n), 1)));
        assert!(!struck.iter().all(|n| strikes(ten, 7, "x", &key(*n), 2)), "the next request draws again");
        assert!(!struck.iter().all(|n| strikes(ten, 8, "x", &key(*n), 1)), "another seed strikes others");
        assert!(!struck.iter().all(|n| strikes(ten, 7, "y", &key(*n), 1)), "so does another fault");
    }

    #[test]
    fn named_accounts_are_chosen_and_no_others() {
        let chosen = Chosen { one_in: None, numbers: BTreeSet::from(["7".to_owned()]) };
        assert!(chosen.contains(0, "x", &key(7)));
        assert!(!chosen.contains(0, "x", &key(8)));
    }

    #[test]
    fn a_file_of_faults_is_read_and_its_mistakes_are_told() {
        let faults = Faults::parse(
            "latency = \"5ms\"\nlost_reply_one_in = 20\nimported = { one_in = 50, numbers = [\"A-1\"] }\n\
             [[storms]]\nat = \"2s\"\nlasts = \"500ms\"\nretry_after = \"date\"\n\
             [[outages]]\nat = \"5s\"\nlasts = \"1s\"\nevery = \"10s\"\nhow = \"refuse\"\n\
             [token]\nfile = \"token\"\nrequests = 200\n",
        )
        .unwrap();
        assert_eq!((faults.latency, faults.lag), (Duration::from_millis(5), Duration::ZERO));
        assert_eq!(faults.lost_reply_one_in, NonZeroU32::new(20));
        assert_eq!((faults.storms.len(), faults.outages[0].every), (1, Some(Duration::from_secs(10))));
        for (text, told) in
            [("lantency = 1", "lantency"), ("lag = \"soon\"", "length of time"), ("rate = 0", "nonzero")]
        {
            assert!(Faults::parse(text).unwrap_err().contains(told), "{text}");
        }
    }
}
