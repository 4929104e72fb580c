//! From state to bytes, and when: draws only what changed, and not more often than the line bears.

use std::time::Duration;

use ratatui::Terminal;

use super::state::State;
use super::terminal::AnsiBackend;
use super::view::view;

/// Figures change at most ten times a second.
const INTERVAL: Duration = Duration::from_millis(100);
/// Bytes a second that a cell of the screen may cost while training: 15 kB at 80x24.
const BYTES_A_CELL: f64 = 8.0;

/// Decides when the next frame may be drawn.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    /// Something changed since the last frame.
    dirty: bool,
    /// It must be shown at once.
    urgent: bool,
    /// Before this moment what is not urgent waits.
    free: Duration,
}

impl Pacer {
    /// Something changed that may wait its turn.
    pub(crate) fn mark(&mut self) {
        self.dirty = true;
    }

    /// Something changed that a person waits for.
    pub(crate) fn hurry(&mut self) {
        self.dirty = true;
        self.urgent = true;
    }

    /// When the next frame is to be drawn, if any.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.dirty.then_some(if self.urgent { Duration::ZERO } else { self.free })
    }

    /// A frame of so many bytes was drawn on so many cells: dear frames make the next one wait.
    fn drawn(&mut self, now: Duration, bytes: usize, cells: usize) {
        let cost = bytes as f64 / (BYTES_A_CELL * cells.max(1) as f64);
        // What a whole screen costs is not held against what follows for long.
        let wait = INTERVAL.max(Duration::from_secs_f64(cost.min(1.0)));
        (self.dirty, self.urgent) = (false, false);
        self.free = now + wait;
    }
}

/// Draws frames into bytes.
pub(crate) struct Painter {
    terminal: Terminal<AnsiBackend>,
    pub(crate) pacer: Pacer,
}

impl Painter {
    pub(crate) fn new((width, height): (u16, u16)) -> Self {
        let terminal = Terminal::new(AnsiBackend::new(width, height));
        let terminal = terminal.unwrap_or_else(|never| match never {});
        let mut painter = Self { terminal, pacer: Pacer::default() };
        painter.repaint();
        painter
    }

    /// The next frame draws every cell; the same size twice means that too.
    pub(crate) fn resize(&mut self, (width, height): (u16, u16)) {
        self.terminal.backend_mut().resize(width, height);
        self.repaint();
    }

    /// The next frame draws every cell.
    pub(crate) fn repaint(&mut self) {
        self.terminal.clear().unwrap_or_else(|never| match never {});
        self.pacer.hurry();
    }

    /// The bytes that bring the terminal up to date, or nothing if it is.
    pub(crate) fn frame(&mut self, state: &State, now: Duration) -> Option<Vec<u8>> {
        let drawn = self.terminal.draw(|frame| view(state, frame));
        drawn.unwrap_or_else(|never| match never {});
        let frame = self.terminal.backend_mut().take_frame();
        let cells = usize::from(state.size.0) * usize::from(state.size.1);
        self.pacer.drawn(now, frame.as_ref().map_or(0, Vec::len), cells);
        frame
    }
}
