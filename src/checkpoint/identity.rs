//! Identities that no two runs share.

use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::RunIdentity;

impl RunIdentity {
    /// A new run called `name` that begins now.
    ///
    /// Its id takes no part in any result, so it need not be reproducible: it comes from the system's
    /// randomness, the clock and the process.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let digest = Sha256::new()
            .chain_update(unique().to_le_bytes())
            .chain_update(unique().to_le_bytes())
            .chain_update(&name)
            .finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self { id, name, started_at_ms: unix_ms() }
    }
}

/// A number that is most likely unlike any other: keyed by the system's randomness (the standard
/// library's hash keys), over process and time.
pub(super) fn unique() -> u64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    RandomState::new().hash_one((std::process::id(), nanos))
}

/// Milliseconds since 1970 (UTC); zero if the clock stands before that.
pub(super) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_runs_share_an_id() {
        let ids: HashSet<_> = (0..1_000).map(|_| RunIdentity::new("same").id).collect();
        assert_eq!(ids.len(), 1_000);
    }
}
