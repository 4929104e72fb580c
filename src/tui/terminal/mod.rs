//! The terminal itself: its mode, what is read from it and what is written to it.
//!
//! Key names and control sequences are crossterm's; reading, waiting and colours are done here. Its
//! reader never returns once the terminal is gone, takes bracketed pastes that were never asked for, and
//! its colours change under `NO_COLOR`.

mod ansi;
mod decode;
mod input;
mod tty;
mod writer;

#[cfg(fuzzing)]
pub use decode::fuzz_keys;

pub(crate) use ansi::AnsiBackend;
pub(crate) use input::{Input, listen};
pub use tty::restore;
pub(crate) use tty::{Tty, opening};
pub(crate) use writer::{Writer, Written};
