//! What a panic does: it is told where it can be read, and the terminal is given back first.
//!
//! The trainer and the screen are watched by the session, which turns their panic into an error; theirs is
//! only noted here. On any other thread nobody would notice, so it is printed.

use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};
use std::{io, thread};

use tokio::task::JoinError;

/// Name of the trainer's threads.
pub(super) const TRAINER: &str = "trainer";
/// Name of the runtime's threads, where the screen runs.
pub(super) const SCREEN: &str = "screen";

static NOTED: Mutex<Option<String>> = Mutex::new(None);

/// Puts the hook in place.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|panic| {
        let text = describe(panic);
        if matches!(thread::current().name(), Some(TRAINER | SCREEN)) {
            *NOTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        } else {
            super::restore_terminal();
            // A dead terminal must not turn a panic into an abort.
            let _ = io::Write::write_all(&mut io::stderr(), format!("aescope: {text}\n").as_bytes());
        }
    }));
}

/// What a task that did not come back died of.
pub(super) fn cause(error: &JoinError) -> String {
    let noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner).take();
    noted.unwrap_or_else(|| error.to_string())
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
    format!("this is a defect in aescope: {message}{}", place.unwrap_or_default())
}
