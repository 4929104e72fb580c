//! Saving: when it is due, what happens when it fails, and the end of a run that has blown up.

use std::time::{Duration, Instant};

use super::Trainer;
use crate::checkpoint::RunFolder;
use crate::error::Error;
use crate::message::{Event, SaveReason};
use crate::train::divergence;

/// How soon a save that failed is tried again.
const SAVE_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How often a save that keeps failing is told.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// A save that is to be made between two steps.
#[derive(Clone, Copy)]
pub(super) struct SaveDue {
    pub(super) reason: SaveReason,
    pub(super) at: Instant,
}

impl Trainer {
    /// Wishes a save before the next step. While saving fails, only a person's wish hastens the next attempt.
    pub(super) fn ask_to_save(&mut self, reason: SaveReason) {
        let now = Instant::now();
        let by_hand = |due: SaveDue| due.reason == SaveReason::Hand;
        self.save_due = Some(match self.save_due {
            Some(due) if by_hand(due) && reason != SaveReason::Hand => due,
            Some(due) if reason != SaveReason::Hand => SaveDue { reason, at: due.at },
            _ => SaveDue { reason, at: now },
        });
        if reason == SaveReason::Hand {
            self.warned_at = None;
        }
    }

    /// Makes the save that is due. A failure is told, the run goes on, and it is tried again before long.
    pub(super) fn save_when_due(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let Some(due) = self.save_due.filter(|due| due.at <= now) else { return Ok(()) };
        self.hold_clocks();
        match self.try_save(due.reason) {
            Err(Error::Checkpoint(error)) => {
                self.save_due = Some(SaveDue { at: now + SAVE_AGAIN_AFTER, ..due });
                if self.warned_at.is_none_or(|warned_at| now - warned_at >= WARN_EVERY) {
                    self.warned_at = Some(now);
                    self.tell(Event::Warning(format!(
                        "{error}; training goes on, and so do attempts to save"
                    )));
                }
                Ok(())
            }
            other => other,
        }
    }

    pub(super) fn save_at_end(&mut self, reason: SaveReason) -> Result<(), Error> {
        self.hold_clocks();
        let by_hand = self.save_due.is_some_and(|due| due.reason == SaveReason::Hand);
        if self.saved_step == Some(self.setup.state.progress.step) && !by_hand {
            return Ok(());
        }
        self.try_save(if by_hand { SaveReason::Hand } else { reason })
    }

    pub(super) fn try_save(&mut self, reason: SaveReason) -> Result<(), Error> {
        if self.setup.folder.is_none() {
            return Ok(());
        }
        self.setup.state.progress.epoch_seconds += self.epoch_clock.take();
        let checkpoint = self.setup.checkpoint(reason);
        let (is_finite, step) = (checkpoint.is_finite(), checkpoint.progress.step);
        let saved = self.setup.folder.as_mut().filter(|_| is_finite).map(|folder| folder.save(&checkpoint));
        self.setup.take_back(checkpoint);
        if !is_finite {
            return Err(self.diverged("the weights became infinite or no numbers", step));
        }
        let (Some(saved), Some(folder)) = (saved, &mut self.setup.folder) else { return Ok(()) };
        let saved = saved?;
        let not_removed = folder.take_prune_fault();
        (self.saved_step, self.save_due, self.warned_at) = (Some(saved.step), None, None);
        self.tell(Event::Saved(saved));
        if let Some(error) = not_removed {
            self.tell(Event::Warning(format!("{error}; it is tried again after the next save")));
        }
        self.publish_now();
        Ok(())
    }

    pub(super) fn diverged(&self, what: &str, step: u64) -> Error {
        let folder = self.setup.folder.as_ref().map(RunFolder::folder);
        divergence::error(what, step, self.setup.config.learning_rate, folder.zip(self.saved_step))
    }
}
