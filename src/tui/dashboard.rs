//! The screen without a terminal: messages in, effects and bytes out, and a sense of when to draw.
//!
//! Time is an argument, so that every rate can be tested; [`run`](super::run()) joins it to the terminal.

use std::sync::Arc;
use std::time::Duration;

use ratatui::{Frame, Terminal};

use super::options::ScreenOptions;
use super::state::{Effect, Msg, State, update};
use super::terminal::AnsiBackend;
use super::theme::Theme;
use super::view::view;
use crate::message::{Event, Snapshot};

/// Figures change at most ten times a second.
const INTERVAL: Duration = Duration::from_millis(100);
/// Bytes a second that a cell of the screen may cost while training: 15 kB at 80x24.
const BYTES_A_CELL: f64 = 8.0;

/// Decides when the next frame may be drawn.
#[derive(Debug, Default)]
struct Pacer {
    /// Something changed since the last frame.
    dirty: bool,
    /// It must be shown at once.
    urgent: bool,
    /// Before this moment what is not urgent waits.
    free: Duration,
}

impl Pacer {
    fn due(&self) -> Option<Duration> {
        self.dirty.then_some(if self.urgent { Duration::ZERO } else { self.free })
    }

    /// A frame of so many bytes was drawn on so many cells: dear frames make the next ones wait. Those
    /// that could not wait are held against the others too, up to a second.
    fn drawn(&mut self, now: Duration, bytes: usize, cells: usize) {
        let cost = bytes as f64 / (BYTES_A_CELL * cells.max(1) as f64);
        (self.dirty, self.urgent) = (false, false);
        let paid = self.free.max(now) + Duration::from_secs_f64(cost.min(1.0));
        self.free = paid.clamp(now + INTERVAL, now + Duration::from_secs(1));
    }
}

/// The screen's state and what the terminal shows of it.
pub struct Dashboard {
    state: State,
    terminal: Terminal<AnsiBackend>,
    pacer: Pacer,
}

impl Dashboard {
    /// A screen of `size` (columns, rows) that shows `snapshot`; `variable` looks up the environment.
    pub fn new(
        options: ScreenOptions,
        variable: impl Fn(&str) -> Option<String> + Copy,
        size: (u16, u16),
        snapshot: Arc<Snapshot>,
    ) -> Self {
        let theme = Theme::new(options.depth(variable), options.is_ascii(variable));
        let terminal = Terminal::new(AnsiBackend::new(size.0, size.1));
        let terminal = terminal.unwrap_or_else(|never| match never {});
        let mut dashboard =
            Self { state: State::new(theme, size, snapshot), terminal, pacer: Pacer::default() };
        dashboard.repaint();
        dashboard
    }

    /// Takes a message at time `now` since the start and says what is to be done.
    pub fn update(&mut self, msg: Msg, now: Duration) -> Vec<Effect> {
        // What a person waits for is drawn at once; what training sends waits its turn.
        let urgent = match &msg {
            Msg::Snapshot(snapshot) => self.awaited(snapshot),
            Msg::Tick | Msg::Event(Event::Epoch(_) | Event::Saved(_)) => false,
            Msg::Key(_) | Msg::Event(_) | Msg::TrainerGone | Msg::Resize(..) => true,
        };
        self.pacer.dirty = true;
        self.pacer.urgent |= urgent;
        if let Msg::Resize(width, height) = msg {
            // The same size twice means "draw again".
            self.terminal.backend_mut().resize(width, height);
            self.repaint();
        }
        let mut effects = update(&mut self.state, msg, now);
        effects.retain(|effect| {
            let repaint = *effect == Effect::Repaint;
            if repaint {
                self.repaint();
            }
            !repaint
        });
        effects
    }

    /// Whether `snapshot` answers what was asked for: other samples, another phase.
    fn awaited(&self, snapshot: &Snapshot) -> bool {
        let before = &self.state.snapshot;
        let indices =
            |snapshot: &Snapshot| snapshot.samples.iter().map(|sample| sample.index).collect::<Vec<_>>();
        snapshot.phase != before.phase || indices(snapshot) != indices(before)
    }

    /// The next frame draws every cell.
    fn repaint(&mut self) {
        self.terminal.clear().unwrap_or_else(|never| match never {});
        (self.pacer.dirty, self.pacer.urgent) = (true, true);
    }

    /// The bytes that bring the terminal up to date, if it is time to draw and anything changed.
    pub fn frame(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.pacer.due().is_none_or(|due| due > now) {
            return None;
        }
        let drawn = self.terminal.draw(|frame| view(&self.state, frame));
        drawn.unwrap_or_else(|never| match never {});
        let frame = self.terminal.backend_mut().take_frame();
        let cells = usize::from(self.state.size.0) * usize::from(self.state.size.1);
        self.pacer.drawn(now, frame.as_ref().map_or(0, Vec::len), cells);
        frame
    }

    /// When to call [`Dashboard::frame`] next if nothing happens.
    pub fn frame_due(&self) -> Option<Duration> {
        self.pacer.due()
    }

    /// When to send [`Msg::Tick`] if nothing happens.
    pub fn tick_due(&self) -> Option<Duration> {
        self.state.next_deadline()
    }

    /// Draws the state into any frame of the same size.
    pub fn view(&self, frame: &mut Frame) {
        view(&self.state, frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dear_frames_make_the_next_one_wait_and_keys_do_not() {
        let mut pacer = Pacer::default();
        let now = Duration::from_secs(1);
        pacer.drawn(now, 100, 1920);
        assert_eq!(pacer.due(), None);
        pacer.dirty = true;
        assert_eq!(pacer.due(), Some(now + INTERVAL));
        let now = Duration::from_secs(2);
        pacer.drawn(now, 7_680, 1920);
        pacer.dirty = true;
        assert_eq!(pacer.due(), Some(now + Duration::from_millis(500)));
        pacer.drawn(now, 3_840, 1920);
        pacer.dirty = true;
        assert_eq!(pacer.due(), Some(now + Duration::from_millis(750)));
        pacer.urgent = true;
        assert_eq!(pacer.due(), Some(Duration::ZERO));
    }
}
