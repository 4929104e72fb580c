//! Tests of the whole layer, one file for each way of looking at it.

mod example;
mod folder;
mod format;
