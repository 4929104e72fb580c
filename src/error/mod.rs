//! What can go wrong, said for people.
//!
//! A message names what was wrong, the value, where, and what to do; lower case, no type names. One
//! file holds the faults of one layer; [`Error`] is their sum and knows only how the process ends.

mod checkpoint;
mod data;
mod printable;

pub use checkpoint::{CheckpointError, Fault, Intact};
pub use data::DataError;
pub use printable::printable;

/// Any error that ends a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Images that cannot be read or used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A checkpoint or run folder that cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Options that contradict each other or the run.
    #[error("{0}")]
    Usage(String),
    /// The trainer broke off.
    #[error("{0}")]
    Training(String),
    /// The terminal, a pipe or the system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, with the path where there is one.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// Exit status: 2 for wrong usage, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 1,
        }
    }
}
