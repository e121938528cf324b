//! A key that runs out: good for so many requests, and then another one lies in the file.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use super::faults::TokenFault;
use crate::account::Digest;

/// The key that is good now.
#[derive(Debug)]
pub(super) struct Token {
    fault: TokenFault,
    seed: u64,
    nth: u32,
    left: u32,
    key: String,
}

impl Token {
    /// Writes the first key to its file.
    pub(super) fn new(fault: TokenFault, seed: u64) -> io::Result<Self> {
        let mut token = Self { fault, seed, nth: 0, left: 0, key: String::new() };
        token.next()?;
        Ok(token)
    }

    /// Whether a request with the key `given` is let in, which uses the key up a little.
    pub(super) fn admits(&mut self, given: &str) -> bool {
        if given != self.key {
            return false;
        }
        if self.left == 0 {
            // Where the next key can't be written, nobody is let in any more.
            let _ = self.next();
            return false;
        }
        self.left -= 1;
        true
    }

    fn next(&mut self) -> io::Result<()> {
        self.nth += 1;
        self.left = self.fault.requests.get();
        self.key = Digest::of(format!("{}\0token\0{}", self.seed, self.nth).as_bytes()).to_string();
        let new = self.fault.file.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(self.key.as_bytes())?;
        std::fs::rename(new, &self.fault.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_runs_out_and_the_next_one_lies_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let requests = 2.try_into().unwrap();
        let mut token = Token::new(TokenFault { file: file.clone(), requests }, 1).unwrap();
        let read = || std::fs::read_to_string(&file).unwrap();
        let first = read();
        assert_eq!([(); 3].map(|()| token.admits(&first)), [true, true, false]);
        assert_ne!(read(), first);
        assert!(!token.admits(&first) && token.admits(&read()));
    }
}
