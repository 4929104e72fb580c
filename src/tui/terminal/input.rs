//! A thread that reads keys. Nobody joins it: it ends with the terminal, or with the process.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::PollFlags;
use tokio::sync::mpsc::Sender;

use super::decode::Decoder;
use super::tty::Tty;
use crate::tui::keys::Key;

/// An escape that nothing follows for this long is the key.
const ESCAPE: Duration = Duration::from_millis(25);

/// What came from the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Key(Key),
    /// The terminal is gone.
    Lost,
}

/// Starts the thread. A full channel holds it up, so that a paste of any size takes no memory; a closed
/// one ends it.
pub(crate) fn listen(tty: Arc<Tty>, inputs: Sender<Input>) -> std::io::Result<()> {
    std::thread::Builder::new().name("screen input".into()).spawn(move || {
        if !read_keys(&tty, &inputs) {
            let _ = inputs.blocking_send(Input::Lost);
        }
    })?;
    Ok(())
}

/// Reads until nobody listens any more (true) or the terminal is gone (false).
fn read_keys(tty: &Tty, inputs: &Sender<Input>) -> bool {
    let mut decoder = Decoder::new();
    let mut buffer = [0; 1024];
    loop {
        let Ok(ready) = tty.wait_readable(decoder.is_waiting().then_some(ESCAPE)) else { return false };
        if inputs.is_closed() {
            return true;
        }
        if ready.is_empty() {
            if let Some(key) = decoder.flush()
                && inputs.blocking_send(Input::Key(key)).is_err()
            {
                return true;
            }
            continue;
        }
        if ready.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return false;
        }
        let count = match tty.read(&mut buffer) {
            // A terminal in raw mode gives no end of file while it is there.
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => continue,
            Err(_) => return false,
        };
        for byte in buffer.iter().take(count) {
            if let Some(key) = decoder.push(*byte)
                && inputs.blocking_send(Input::Key(key)).is_err()
            {
                return true;
            }
        }
    }
}
