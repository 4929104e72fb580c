//! A thread that writes whole frames, so that a terminal that is not read holds up nobody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::mpsc as channel;

use super::tty::Tty;

/// How often a writer that waits for the terminal looks whether it is to stop.
const SLICE: Duration = Duration::from_millis(50);
/// The most that is written between two looks.
const PIECE: usize = 4096;

/// Set while the terminal is given back: what is still to be written is dropped.
static HELD: AtomicBool = AtomicBool::new(false);
/// Held by whoever writes.
static WRITING: Mutex<()> = Mutex::new(());

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is out; the next may come.
    Done,
    /// The terminal takes no more bytes.
    Lost,
}

/// The near end of the thread. Dropping it ends the thread after the frame at hand.
pub(crate) struct Writer {
    frames: mpsc::SyncSender<Vec<u8>>,
}

impl Writer {
    /// Starts the thread; it reports each frame to `reports`.
    pub(crate) fn start(tty: Arc<Tty>, reports: channel::UnboundedSender<Written>) -> std::io::Result<Self> {
        let (frames, to_write) = mpsc::sync_channel::<Vec<u8>>(1);
        std::thread::Builder::new().name("screen writer".into()).spawn(move || {
            for frame in to_write {
                let outcome = if write(&tty, &frame) { Written::Done } else { Written::Lost };
                if reports.send(outcome).is_err() || outcome == Written::Lost {
                    return;
                }
            }
        })?;
        Ok(Self { frames })
    }

    /// Hands over a frame; the caller waits for [`Written`] before the next.
    pub(crate) fn send(&self, frame: Vec<u8>) {
        // A full queue or an ended thread cannot take it; the report about that is on its way.
        let _ = self.frames.try_send(frame);
    }
}

/// Writes a frame in pieces; false if the terminal is gone.
fn write(tty: &Tty, frame: &[u8]) -> bool {
    let _writing = lock();
    for piece in frame.chunks(PIECE) {
        let mut rest = piece;
        while !rest.is_empty() && !HELD.load(Ordering::Acquire) {
            match tty.write_some(rest, Instant::now() + SLICE) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {}
                Err(_) => return false,
            }
        }
    }
    true
}

fn lock() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the writer drop what it has and waits for it, a moment at most.
pub(super) fn hold() {
    HELD.store(true, Ordering::Release);
    let end = Instant::now() + SLICE * 4;
    while WRITING.try_lock().is_err() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Lets the writer write again.
pub(super) fn release() {
    HELD.store(false, Ordering::Release);
}
