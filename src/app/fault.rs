//! Panics on demand, so that tests see what the real program does about one: its hook, its threads, its terminal.
//!
//! `AESCOPE_TEST_PANIC=trainer:STEP` panics in the trainer before the step after STEP, `screen:MILLISECONDS` on
//! the screen's task that long after it began. A build of its own for tests would prove nothing about the program
//! that people run; anything else in the variable means nothing.

#[cfg(feature = "tui")]
use std::time::Duration;

const VARIABLE: &str = "AESCOPE_TEST_PANIC";

fn asked(side: &str) -> Option<u64> {
    let value = std::env::var(VARIABLE).ok()?;
    value.strip_prefix(side)?.strip_prefix(':')?.parse().ok()
}

/// The step after which the trainer is to panic.
pub(super) fn trainer() -> Option<u64> {
    asked("trainer")
}

/// Panics on the task that waits for it, or never returns.
#[cfg(feature = "tui")]
pub(super) async fn screen() -> std::convert::Infallible {
    match asked("screen") {
        Some(milliseconds) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
        None => std::future::pending().await,
    }
    panic!("{VARIABLE} asked for it")
}
