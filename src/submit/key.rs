//! How the key is read anew in the middle of a run.

use std::fmt;
use std::sync::Arc;

use crate::target::Auth;

/// Reads the key where it comes from. The error says why there is none, and nothing of any key.
type Read = dyn Fn() -> Result<Auth, String> + Send + Sync;

/// Where a fresh key comes from. Cheap to clone.
#[derive(Clone)]
pub struct FreshKey(Arc<Read>);

impl FreshKey {
    /// A key that `read` reads.
    pub fn new(read: impl Fn() -> Result<Auth, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Reads it; may take as long as a command does.
    pub(super) fn read(&self) -> Result<Auth, String> {
        (self.0)()
    }
}

impl fmt::Debug for FreshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FreshKey(…)")
    }
}
