//! Events as lines for a pipe, a file or a log: for people, or one JSON object each.
//!
//! Every line is written whole and flushed, so that a reader sees it at once, and none holds an escape
//! byte. It knows nothing of tasks: somebody else receives the events, and decides what a closed pipe
//! means.

mod json;

use std::io::{self, Write};

use crate::format::{loss, printable, rate, thousands};
use crate::message::{EndReason, EndReport, EpochRecord, Event, Floors, SavedCheckpoint};
use crate::report::{json_line, summary, test_result};

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Tables and sentences.
    Lines,
    /// One JSON object a line.
    Json,
}

/// Writes events as they come.
pub struct Printer<W> {
    writer: W,
    style: Style,
    /// Epochs of the run. An epoch beyond the number that the run began with can only come from epochs
    /// added since, so the total is at least that epoch.
    epochs: u32,
    floors: Floors,
    /// Whether the table of epochs has its head.
    table_begun: bool,
}

impl<W: Write> Printer<W> {
    /// A printer that writes to `writer`.
    pub fn new(writer: W, style: Style) -> Self {
        Self { writer, style, epochs: 0, floors: Floors::default(), table_begun: false }
    }

    /// Writes one event.
    ///
    /// # Errors
    /// What the writer says, such as a closed pipe.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Start(run) => {
                self.epochs = run.config.epochs;
                self.floors = run.data.floors;
            }
            Event::Epoch(record) => self.epochs = self.epochs.max(record.epoch),
            _ => {}
        }
        let text = match self.style {
            Style::Lines => self.lines(event),
            Style::Json => json::Line::of(event, self.epochs).as_ref().map(json_line),
        };
        let Some(text) = text else { return Ok(()) };
        self.writer.write_all(text.as_bytes())?;
        self.writer.flush()
    }

    fn lines(&mut self, event: &Event) -> Option<String> {
        Some(match event {
            Event::Start(run) => format!("{}\n", summary(run)),
            Event::Epoch(record) => {
                let head = if self.table_begun { String::new() } else { self.table_head() };
                self.table_begun = true;
                head + &self.table_row(record)
            }
            Event::Saved(SavedCheckpoint { path, step, .. }) => {
                format!("saved {} (step {})\n", printable(path), thousands(*step))
            }
            // Its figures come with the end.
            Event::Completed(_) => return None,
            Event::Warning(message) => format!("warning: {}\n", printable(message)),
            Event::Failed(message) => format!("failed: {}\n", printable(message)),
            Event::End(EndReport { reason, test }) => {
                let reason = match reason {
                    EndReason::Finished => "finished",
                    EndReason::Stopped => "stopped",
                    EndReason::Signal => "stopped by a signal",
                };
                format!("{reason}: {}\n", test_result(test, self.floors.test))
            }
        })
    }

    /// Columns of an epoch's number and of the number of epochs.
    fn epoch_width(&self) -> usize {
        self.epochs.to_string().len().max(2)
    }

    fn table_head(&self) -> String {
        let width = 2 * self.epoch_width() + 1;
        format!(
            "{:>width$}  {:>8}  {:>10}  {:>8}  {:>8}  {:>10}\n",
            "epoch", "train", "validation", "excess", "seconds", "images/s"
        )
    }

    fn table_row(&self, record: &EpochRecord) -> String {
        let width = self.epoch_width();
        format!(
            "{:>width$}/{:<width$}  {:>8}  {:>10}  {:>8}  {:>8.3}  {:>10}\n",
            record.epoch,
            self.epochs,
            loss(record.train_loss),
            loss(record.validation_loss),
            self.floors.validation.map_or("-".into(), |floor| loss(record.validation_loss - floor)),
            record.seconds,
            rate(record.images_per_second),
        )
    }
}

#[cfg(test)]
mod tests;
