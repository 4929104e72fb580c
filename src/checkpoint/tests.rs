//! Tests of the whole layer, one file for each way of looking at it.

// A test that fails should say where.
#![allow(clippy::unwrap_used)]

mod example;
mod faults;
mod folder;
mod format;
mod hostile;
#[cfg(unix)]
mod processes;
