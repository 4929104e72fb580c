//! Everything the screen knows, changed only by [`update`].
//!
//! No terminal, no clock and no task: time comes in with each message, so every test is exact.

mod gallery;
mod pictures;
mod prompt;
mod update;

use std::sync::Arc;
use std::time::Duration;

use crate::config::Pace;
use crate::message::{Command, EndReport, EpochRecord, Event, Phase, RunInfo, Snapshot, TestResult};
use crate::tui::keys::Key;
use crate::tui::theme::Theme;

pub(crate) use pictures::{Part, Pictures, Want};
pub(crate) use prompt::{Prompt, Question};
pub(crate) use update::update;

/// How the screen came to its end.
#[derive(Clone, Debug, PartialEq)]
pub enum ScreenEnd {
    /// The run ended; everything is saved.
    Ended(EndReport),
    /// The run had broken off; the person has read why and left.
    Failed(String),
    /// The terminal is gone: save and end.
    TerminalLost,
    /// The person chose to leave without saving.
    Discarded,
    /// The person wants out at once, whatever is going on.
    ForcedQuit,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// The trainer says something that must arrive.
    Event(Event),
    /// The trainer's latest state.
    Snapshot(Arc<Snapshot>),
    /// No more events will come.
    TrainerGone,
    /// The terminal has so many columns and rows, or lost what it showed.
    Resize(u16, u16),
    /// Time went by.
    Tick,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Tell the trainer.
    Send(Command),
    /// Go to the background.
    Suspend,
    /// Draw every cell again.
    Repaint,
    /// Leave the screen.
    Leave(ScreenEnd),
}

/// The panel that has the whole body to itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Focus {
    #[default]
    All,
    Sample,
    Gallery,
    Loss,
    Epochs,
    Model,
}

impl Focus {
    pub(crate) const ORDER: [Self; 6] =
        [Self::All, Self::Sample, Self::Gallery, Self::Loss, Self::Epochs, Self::Model];

    fn step(self, by: usize) -> Self {
        let place = Self::ORDER.iter().position(|&focus| focus == self).unwrap_or(0);
        Self::ORDER[(place + by) % Self::ORDER.len()]
    }
}

/// What lies over the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Overlay {
    #[default]
    None,
    Help {
        scroll: u16,
    },
    /// Something is unsaved: what is to become of it?
    Quit,
    Prompt(Prompt),
}

/// A line that goes away by itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    until: Duration,
}

/// Everything the screen knows.
pub(crate) struct State {
    pub(crate) theme: Theme,
    /// Columns and rows.
    pub(crate) size: (u16, u16),
    pub(crate) info: Option<RunInfo>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) epochs: Vec<EpochRecord>,
    pub(crate) test: Option<TestResult>,
    /// Index of the chosen test image.
    pub(crate) cursor: u32,
    pub(crate) focus: Focus,
    /// The chart shows the newest 2^-zoom of the steps.
    pub(crate) zoom: u8,
    pub(crate) log: bool,
    /// Rows that the epoch table is scrolled back from the newest.
    pub(crate) back: usize,
    pub(crate) overlay: Overlay,
    /// Why the run broke off.
    pub(crate) failure: Option<String>,
    /// The latest warning, until it is put away.
    pub(crate) warning: Option<String>,
    pub(crate) notice: Option<Notice>,
    /// The stop has been sent; the end will come.
    pub(crate) stopping: bool,
    pub(crate) pictures: Pictures,
    /// Wishes that were sent and do not show in a snapshot yet.
    wished_pace: Option<Pace>,
    wished_phase: Option<Phase>,
    watched: Vec<u32>,
}

impl State {
    pub(crate) fn new(theme: Theme, size: (u16, u16), snapshot: Arc<Snapshot>) -> Self {
        Self {
            theme,
            size,
            info: None,
            snapshot,
            epochs: Vec::new(),
            test: None,
            cursor: 0,
            focus: Focus::All,
            zoom: 0,
            log: true,
            back: 0,
            overlay: Overlay::None,
            failure: None,
            warning: None,
            notice: None,
            stopping: false,
            pictures: Pictures::default(),
            wished_pace: None,
            wished_phase: None,
            watched: Vec::new(),
        }
    }

    /// The phase, with what was asked for and is not in a snapshot yet.
    pub(crate) fn phase(&self) -> Phase {
        self.wished_phase.unwrap_or(self.snapshot.phase)
    }

    /// The pace, with what was asked for and is not in a snapshot yet.
    pub(crate) fn pace(&self) -> Pace {
        self.wished_pace.unwrap_or(self.snapshot.pace)
    }

    /// Whether steps have been made that no checkpoint holds.
    pub(crate) fn unsaved(&self) -> bool {
        let snapshot = &self.snapshot;
        self.failure.is_none()
            && snapshot.phase != Phase::Browsing
            && snapshot.step > 0
            && snapshot.saved_step != Some(snapshot.step)
    }

    pub(crate) fn test_images(&self) -> u32 {
        self.info.as_ref().map_or(0, |info| info.data.test_images)
    }

    /// Steps of the whole run.
    pub(crate) fn total_steps(&self) -> u64 {
        let per_epoch = self.info.as_ref().map_or(0, |info| info.steps_per_epoch);
        (u64::from(self.snapshot.epochs) * per_epoch).max(self.snapshot.step)
    }

    /// The best epoch so far by its validation loss.
    pub(crate) fn best(&self) -> Option<&EpochRecord> {
        let known = self.epochs.iter().filter(|record| record.validation_loss.is_finite());
        known.min_by(|a, b| a.validation_loss.total_cmp(&b.validation_loss))
    }

    /// When the screen changes without anything happening, if ever.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let notice = self.notice.as_ref().map(|notice| notice.until);
        // Before the start there is nothing to show pictures of.
        let pictures = self.info.as_ref().and_then(|_| self.pictures.due());
        [notice, pictures].into_iter().flatten().min()
    }
}
