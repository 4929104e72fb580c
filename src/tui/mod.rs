//! The dashboard: reads events and snapshots, sends commands, and knows no tensor.
//!
//! ```text
//!  keys, signals ─┐
//!  events ────────┼─► update(State, Msg) ─► effects: commands, suspend, leave
//!  snapshots ─────┘        │
//!                          ▼
//!               view(State, Frame) ─► painter (what changed, when) ─► writer thread ─► terminal
//! ```
//!
//! - `state` is everything the screen knows; `update` is pure and gets the time with each message.
//! - `view` is a pure function of the state, one panel a file; `pages` put panels together.
//! - `keys` is the one table of keys, `theme` has every colour and glyph.
//! - `picture` makes images into levels on cells; a level has no colour before the theme gives it one.
//! - `terminal` is all that touches the terminal; only `run` and `painter` know it.

mod keys;
mod options;
mod pages;
mod painter;
mod picture;
mod run;
mod state;
mod terminal;
mod theme;
mod view;

pub use keys::{Action, BINDINGS, Binding, Key, key_table};
pub use options::ScreenOptions;
pub use run::run;
pub use state::ScreenEnd;
pub use terminal::restore;
