//! The terminal's descriptor and its mode: entering the screen, and leaving it whatever happens.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossterm::cursor::{Hide, Show};
use crossterm::terminal::{DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{OptionalActions, Termios};

use super::ansi::sequence;
use crate::error::Error;

/// How long the way out may wait for a terminal that is not read.
const PATIENCE: Duration = Duration::from_millis(300);
/// Larger than this nobody looks at; a wrong size must not ask for memory without end.
const LARGEST: (u16, u16) = (500, 200);
/// What a terminal is taken for that does not know its size.
const USUAL: (u16, u16) = (80, 24);

/// The terminal as it was found, while the screen is on.
static FOUND: Mutex<Option<Found>> = Mutex::new(None);

struct Found {
    tty: Arc<Tty>,
    mode: Termios,
}

/// The terminal, opened anew so that it can be written without blocking and without a trace in the
/// shell's own descriptors.
pub(crate) struct Tty(OwnedFd);

impl Tty {
    /// The terminal of this process.
    pub(crate) fn open() -> Result<Arc<Self>, Error> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::open("/dev/tty", flags, Mode::empty()).or_else(|_| {
            // Without a controlling terminal the one on standard output will do.
            let name = rustix::termios::ttyname(rustix::stdio::stdout(), Vec::new())?;
            rustix::fs::open(name, flags, Mode::empty())
        });
        let opened = opened.map_err(|source| failed("cannot open the terminal", source))?;
        Ok(Arc::new(Self(opened)))
    }

    /// Columns and rows, never more than can be meant.
    pub(crate) fn size(&self) -> (u16, u16) {
        let size = rustix::termios::tcgetwinsize(&self.0).map_or((0, 0), |size| (size.ws_col, size.ws_row));
        if size.0 == 0 || size.1 == 0 { USUAL } else { (size.0.min(LARGEST.0), size.1.min(LARGEST.1)) }
    }

    /// Waits until there is something to read or the terminal is gone.
    pub(super) fn wait_readable(&self, patience: Option<Duration>) -> io::Result<PollFlags> {
        self.wait(PollFlags::IN, patience)
    }

    fn wait(&self, what: PollFlags, patience: Option<Duration>) -> io::Result<PollFlags> {
        let timeout = patience.map(|patience| Timespec {
            tv_sec: patience.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        });
        let mut polled = [PollFd::new(&self.0, what)];
        loop {
            match rustix::event::poll(&mut polled, timeout.as_ref()) {
                Ok(_) => return Ok(polled[0].revents()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        rustix::io::read(&self.0, buffer).map_err(io::Error::from)
    }

    /// Writes as much of `bytes` as the terminal takes now; waits for it to take some until `until`.
    pub(super) fn write_some(&self, bytes: &[u8], until: Instant) -> io::Result<usize> {
        loop {
            match rustix::io::write(&self.0, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => return Ok(count),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    let patience = until.saturating_duration_since(Instant::now());
                    if patience.is_zero() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    let ready = self.wait(PollFlags::OUT, Some(patience))?;
                    if ready.intersects(PollFlags::HUP | PollFlags::ERR) {
                        return Err(io::ErrorKind::BrokenPipe.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes all of `bytes` or gives up at `until`.
    fn write_all(&self, mut bytes: &[u8], until: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.write_some(bytes, until)?;
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sets the terminal's mode for the screen; [`restore`] gives it back.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<(), Error> {
        let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        let attributes = rustix::termios::tcgetattr(&self.0);
        let mode = attributes.map_err(|source| failed("cannot ask the terminal for its mode", source))?;
        let mut raw = mode.clone();
        raw.make_raw();
        // Remembered before anything changes: whatever fails next is undone.
        // What was found first counts, however often the mode is set again.
        found.get_or_insert(Found { tty: Arc::clone(self), mode });
        rustix::termios::tcsetattr(&self.0, OptionalActions::Now, &raw)
            .map_err(|source| failed("cannot set the terminal's mode", source))?;
        super::writer::release();
        Ok(())
    }
}

/// What the first frame begins with after [`Tty::enter`]: the other screen, no cursor, no wrapping.
pub(crate) fn opening() -> Vec<u8> {
    let mut text = String::new();
    sequence(&mut text, &EnterAlternateScreen);
    sequence(&mut text, &Hide);
    sequence(&mut text, &DisableLineWrap);
    text.into_bytes()
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn failed(what: &str, source: rustix::io::Errno) -> Error {
    Error::Io { what: what.into(), source: source.into() }
}

/// Gives the terminal back as it was found. Does nothing the second time, waits only a moment for a
/// terminal that is not read, and ignores every error: there is nobody left to tell.
pub fn restore() {
    let found = match FOUND.try_lock() {
        Ok(mut found) => found.take(),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
        // Another thread is at it.
        Err(std::sync::TryLockError::WouldBlock) => return,
    };
    let Some(Found { tty, mode }) = found else { return };
    super::writer::hold();
    let mut text = String::from("\x1b[?2026l\x1b[m");
    sequence(&mut text, &EnableLineWrap);
    sequence(&mut text, &Show);
    sequence(&mut text, &LeaveAlternateScreen);
    let _ = tty.write_all(text.as_bytes(), Instant::now() + PATIENCE);
    let _ = rustix::termios::tcsetattr(&tty.0, OptionalActions::Now, &mode);
}
