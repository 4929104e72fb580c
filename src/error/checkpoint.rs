//! Faults of checkpoints and run folders.

/// A checkpoint or run folder that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {}
