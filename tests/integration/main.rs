//! The one integration-test binary: each module is one way of looking at the whole program.

mod campaigns;
mod commands;
mod essence;
mod exactness;
mod golden;
mod layers;
mod program;

#[cfg(feature = "tui")]
mod fixture;
#[cfg(feature = "tui")]
mod picture;
#[cfg(feature = "tui")]
mod screen;
#[cfg(feature = "tui")]
mod terminal;
