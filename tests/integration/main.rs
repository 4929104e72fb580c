//! The one integration-test binary: each module is one way of looking at the whole program.

mod fixture;
mod screen;
