//! The one integration-test binary: each module is one way of looking at the whole program.

mod commands;
mod exactness;
mod layers;
#[cfg(feature = "tui")]
mod picture;
mod program;
#[cfg(feature = "tui")]
mod terminal;
