//! Training: a loop that makes one step after another and, between two steps, does what it is asked.
//!
//! [`Trainer::run`] is a blocking function for a thread of its own. It owns model, optimizer, data and
//! run folder; it reads [`Command`](crate::message::Command)s between batches and never waits for a
//! reader: events go through an unbounded channel, snapshots through a watch that keeps the latest one
//! only. A reader that is gone is not an error. It knows no screen, no terminal and no command line.
//!
//! The same loop serves browsing: a trainer whose phase is `Browsing` answers `Watch` and `Stop` and makes
//! no step.
//!
//! What can fail: a save (a warning; training goes on and saving is tried again until it succeeds), a loss
//! that is no number any more (training breaks off with the last good checkpoint on disk), the last save at
//! a stop (an error, since there is no next one).

mod divergence;
mod progress;
pub mod restore;
mod samples;
mod setup;
mod speed;
mod trainer;

pub use progress::TrainState;
pub use setup::{Links, Setup};
pub use trainer::Trainer;
