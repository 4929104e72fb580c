//! Faults of images and their files.

/// Images that cannot be read or used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {}
