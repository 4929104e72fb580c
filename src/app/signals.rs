//! Signals become commands: the first one asks the trainer to save and stop, the second ends the process.
//!
//! tokio never gives a signal its default meaning back, so the second one must be acted on here. A signal
//! that the parent has set to be ignored (`nohup`, a background job) stays ignored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};

use crate::config::OnHangup;
use crate::error::Error;
use crate::message::{Command, EndReason};

/// SIGXFSZ on Linux and on the BSDs; its default meaning is the end of the process.
const FILE_TOO_LARGE: i32 = 25;

/// The first signal that came, if any.
#[derive(Clone, Default)]
pub(super) struct Received {
    number: Arc<AtomicU8>,
    unheard: Arc<Notify>,
}

impl Received {
    /// Its number.
    pub(super) fn number(&self) -> Option<u8> {
        Some(self.number.load(Ordering::SeqCst)).filter(|&number| number > 0)
    }

    /// Waits for a signal that no trainer is left to hear: it has saved already, or has failed.
    #[cfg(feature = "tui")]
    pub(super) async fn unheard(&self) {
        self.unheard.notified().await;
    }
}

/// Starts to watch for signals that ask the program to end; where it is to go on after a lost terminal,
/// SIGHUP does not.
///
/// # Errors
/// When the system refuses a handler.
pub(super) fn watch(
    commands: &mpsc::UnboundedSender<Command>,
    on_hangup: OnHangup,
) -> Result<Received, Error> {
    let received = Received::default();
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
    // A file that may not grow any more (`ulimit -f`) is then an error like any other.
    let _ = signal(SignalKind::from_raw(FILE_TOO_LARGE));
    let ignored = ignored_at_start();
    for kind in kinds.into_iter().filter(|kind| ignored >> (kind.as_raw_value() - 1) & 1 == 0) {
        let mut stream = signal(kind)
            .map_err(|source| Error::Io { what: "could not install a signal handler".into(), source })?;
        let (commands, received) = (commands.clone(), received.clone());
        let number = kind.as_raw_value() as u8;
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if kind == SignalKind::hangup() && on_hangup == OnHangup::Continue {
                    continue;
                }
                let first =
                    received.number.compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst).is_ok();
                if !first {
                    super::leave_at_once(128 + number);
                }
                if commands.send(Command::Stop(EndReason::Signal)).is_err() {
                    received.unheard.notify_one();
                }
            }
        });
    }
    Ok(received)
}

/// The set of signals that were ignored when the program started, bit n-1 for signal n; empty where the system
/// does not tell.
fn ignored_at_start() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
