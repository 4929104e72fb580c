//! The dashboard: reads events and snapshots, sends commands, and knows no tensor.
//!
//! ```text
//!  keys, signals ─┐
//!  events ────────┼─► update(State, Msg) ─► effects: commands, suspend, leave
//!  snapshots ─────┘        │
//!                          ▼
//!               view(State, Frame) ─► changed bytes, when it is time ─► writer thread ─► terminal
//! ```
//!
//! - `state` is everything the screen knows; `update` is pure and gets the time with each message.
//! - `view` is a pure function of the state, one panel a file; `pages` put panels together.
//! - `keys` is the one table of keys, `theme` has every colour and glyph.
//! - `picture` makes images into levels on cells; a level has no colour before the theme gives it one.
//! - `dashboard` is all of that without a terminal; `run` joins it to one, and `terminal` is all that touches it.

mod dashboard;
mod keys;
mod options;
mod pages;
mod picture;
mod run;
mod state;
mod terminal;
mod theme;
mod view;

pub use dashboard::Dashboard;
pub use keys::{Action, BINDINGS, Binding, Key, key_table};
pub use options::ScreenOptions;
pub use run::run;
pub use state::{Effect, Msg, ScreenEnd};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use terminal::fuzz_keys;
pub use terminal::restore;
