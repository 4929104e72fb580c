//! The loop itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::progress::TrainState;
use super::speed::{Speed, Stopwatch};
use super::{divergence, samples};
use crate::checkpoint::{DataIdentity, RunFolder, RunIdentity};
use crate::config::{Pace, RunConfig};
use crate::data::Dataset;
use crate::error::Error;
use crate::message::{
    Command, EndReason, EndReport, Event, Phase, RunInfo, Sample, SaveReason, Snapshot, TestResult,
};
use crate::model::Learner;

/// How often a snapshot is published while training, at most.
const NUMBERS_EVERY: Duration = Duration::from_millis(100);
/// How often the watched samples are computed anew while training, at most.
const SAMPLES_EVERY: Duration = Duration::from_millis(250);
/// How soon a save that failed is tried again.
const SAVE_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How often a save that keeps failing is told.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The trainer's ends of the channels.
pub struct Links {
    /// Wishes. When all senders are gone nobody can ask any more: training goes on to the last epoch,
    /// and a trainer that waits ends.
    pub commands: mpsc::UnboundedReceiver<Command>,
    /// Facts. Unbounded, so that a reader that has stopped reading cannot hold up training; there are only
    /// a few for each epoch.
    pub events: mpsc::UnboundedSender<Event>,
    /// The latest state; nothing is computed for it while nobody subscribes.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// For waiting on commands with a time limit.
    pub runtime: Handle,
}

/// What a trainer is made of.
pub struct Setup {
    /// Who this run is.
    pub run: RunIdentity,
    /// What determines the result.
    pub config: RunConfig,
    /// The images.
    pub dataset: Dataset,
    /// Model and optimizer.
    pub learner: Learner,
    /// Where the run stands.
    pub state: TrainState,
    /// Where checkpoints go; `None` when browsing.
    pub folder: Option<RunFolder>,
    /// Whether the newest state is on disk already, as after a resume.
    pub saved: bool,
    /// Checkpoint at the end of every this many epochs.
    pub save_every: u32,
    /// How fast to go at first.
    pub pace: Pace,
    /// Whether to stay for browsing and more epochs after the last epoch, until told to stop.
    pub linger: bool,
    /// Step after which to panic, where a test wants to see what follows.
    pub panic_after: Option<u64>,
    /// What the first event tells.
    pub info: RunInfo,
    /// What a person should know right after it, such as damaged checkpoints that were passed over.
    pub warnings: Vec<String>,
}

/// A save that is to be made between two steps.
#[derive(Clone, Copy)]
struct SaveDue {
    reason: SaveReason,
    at: Instant,
}

/// Makes steps until the run is complete or a reader says stop.
pub struct Trainer {
    setup: Setup,
    links: Links,
    phase: Phase,
    pace: Pace,
    saved_step: Option<u64>,
    save_due: Option<SaveDue>,
    /// When it was last told that a save failed; `None` while saving works.
    warned_at: Option<Instant>,
    watched: Vec<u32>,
    samples: Vec<Sample>,
    samples_due: Instant,
    snapshot_due: Instant,
    speed: Speed,
    measured_step: u64,
    epoch_clock: Stopwatch,
    speed_clock: Stopwatch,
    next_step_at: Instant,
    stop: Option<EndReason>,
}

impl Trainer {
    /// A trainer that has not begun.
    pub fn new(setup: Setup, links: Links) -> Self {
        let phase = if setup.folder.is_none() {
            Phase::Browsing
        } else if setup.state.progress.epoch >= setup.config.epochs {
            Phase::Finished
        } else {
            Phase::Training
        };
        let step = setup.state.progress.step;
        let now = Instant::now();
        Self {
            phase,
            pace: setup.pace,
            saved_step: setup.saved.then_some(step),
            save_due: None,
            warned_at: None,
            watched: Vec::new(),
            samples: Vec::new(),
            samples_due: now,
            snapshot_due: now,
            speed: Speed::default(),
            measured_step: step,
            epoch_clock: Stopwatch::default(),
            speed_clock: Stopwatch::default(),
            next_step_at: now,
            stop: None,
            setup,
            links,
        }
    }

    /// Runs to the end of the run or until told to stop; the newest state is saved either way. Tells the
    /// readers how it went ([`Event::End`] or [`Event::Failed`]) before it returns.
    ///
    /// # Errors
    /// When the loss is no number any more, or when the last save failed.
    pub fn run(mut self) -> Result<EndReport, Error> {
        let ended = self.run_to_end();
        let event = match &ended {
            Ok(report) => Event::End(*report),
            Err(error) => Event::Failed(error.to_string()),
        };
        self.tell(event);
        ended
    }

    fn run_to_end(&mut self) -> Result<EndReport, Error> {
        self.tell(Event::Start(Box::new(self.setup.info.clone())));
        for warning in std::mem::take(&mut self.setup.warnings) {
            self.tell(Event::Warning(warning));
        }
        if self.phase == Phase::Finished {
            self.tell_completed();
        }
        if self.saved_step.is_none() && self.setup.state.progress.step > 0 {
            // A run that branches off has a home of its own from the first moment.
            self.ask_to_save(SaveReason::Stop);
        }
        self.publish_now();
        loop {
            self.take_commands();
            if let Some(reason) = self.stop {
                self.save_at_end(SaveReason::Stop)?;
                return Ok(EndReport { reason, test: self.test() });
            }
            self.save_when_due()?;
            match self.phase {
                Phase::Training => self.train_on()?,
                Phase::Finished | Phase::Browsing if !self.setup.linger => {
                    self.save_at_end(SaveReason::Epoch)?;
                    return Ok(EndReport { reason: EndReason::Finished, test: self.test() });
                }
                _ => self.wait_for_command(self.save_due.map(|due| due.at)),
            }
        }
    }

    /// One step, and the end of the epoch where it was the last one; or a wait, where the pace wants it.
    fn train_on(&mut self) -> Result<(), Error> {
        if let Pace::StepsPerSecond(_) = self.pace
            && Instant::now() < self.next_step_at
        {
            self.hold_clocks();
            self.publish_when_due();
            self.wait_for_command(Some(self.next_step_at));
            return Ok(());
        }
        self.epoch_clock.start();
        self.speed_clock.start();
        assert!(self.setup.panic_after != Some(self.setup.state.progress.step), "a test asked for it");
        let train = &self.setup.dataset.train;
        let batch: Vec<&[u8]> =
            self.setup.state.next_batch().iter().map(|&image| train.image(image as usize)).collect();
        let loss = self.setup.learner.step(&batch);
        if !loss.is_finite() {
            let step = self.setup.state.progress.step + 1;
            return Err(self.diverged(&format!("the loss became {loss}"), step));
        }
        self.setup.state.count_step(loss);
        if let Pace::StepsPerSecond(steps) = self.pace {
            let interval = Duration::from_secs_f32(1.0 / steps);
            let now = Instant::now();
            // A step that came late does not make the next ones hurry.
            self.next_step_at = (self.next_step_at + interval).max(now);
        }
        self.publish_when_due();
        if self.setup.state.epoch_is_over() {
            self.close_epoch()?;
        }
        Ok(())
    }

    fn close_epoch(&mut self) -> Result<(), Error> {
        self.measure_speed();
        self.hold_clocks();
        let closing = Instant::now();
        self.setup.state.progress.epoch_seconds += self.epoch_clock.take();
        let validation = self.setup.learner.model().evaluate(self.setup.dataset.validation.bytes());
        if divergence::has_diverged(validation.loss) {
            let loss = format!("the validation loss became {}", validation.loss);
            return Err(self.diverged(&loss, self.setup.state.progress.step));
        }
        let record = self.setup.state.close_epoch(self.setup.config.seed, validation.loss);
        self.tell(Event::Epoch(record));
        let last = record.epoch >= self.setup.config.epochs;
        if last || record.epoch.is_multiple_of(self.setup.save_every.max(1)) {
            self.ask_to_save(SaveReason::Epoch);
            self.save_when_due()?;
        }
        self.speed.measured_closing(closing.elapsed().as_secs_f64());
        if last {
            self.phase = Phase::Finished;
            self.tell_completed();
            self.publish_now();
        }
        Ok(())
    }

    fn take_commands(&mut self) {
        while let Ok(command) = self.links.commands.try_recv() {
            self.obey(command);
        }
    }

    /// Sleeps until a command comes, or until `deadline`.
    fn wait_for_command(&mut self, deadline: Option<Instant>) {
        let commands = &mut self.links.commands;
        let received = match deadline {
            None => commands.blocking_recv(),
            Some(deadline) => {
                let wait = async { tokio::time::timeout_at(deadline.into(), commands.recv()).await };
                match self.links.runtime.block_on(wait) {
                    Ok(received) => received,
                    Err(_elapsed) => return,
                }
            }
        };
        match received {
            Some(command) => self.obey(command),
            None if deadline.is_none() => self.stop = Some(EndReason::Stopped),
            None => {
                let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                std::thread::sleep(left.unwrap_or_default());
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match (command, self.phase) {
            (Command::Pause, Phase::Training) => self.phase = Phase::Paused,
            (Command::Resume, Phase::Paused) => self.phase = Phase::Training,
            (Command::Save, phase) if phase != Phase::Browsing => self.ask_to_save(SaveReason::Hand),
            (Command::SetPace(pace), _) => {
                self.pace = pace;
                self.next_step_at = Instant::now();
            }
            (Command::Watch(indices), _) => {
                self.watched = indices;
                self.samples_due = Instant::now();
            }
            (Command::AddEpochs(more), phase) if phase != Phase::Browsing => {
                self.setup.config.epochs = self.setup.config.epochs.saturating_add(more);
                if phase == Phase::Finished {
                    self.phase = Phase::Training;
                }
            }
            (Command::EndWhenDone, phase) => {
                self.setup.linger = false;
                if phase == Phase::Paused {
                    self.phase = Phase::Training;
                }
            }
            (Command::Stop(reason), _) => self.stop = Some(reason),
            _ => {}
        }
        if self.phase != Phase::Training {
            self.hold_clocks();
        }
        self.publish_now();
    }

    /// Wishes a save before the next step. While saving fails, only a person's wish hastens the next attempt.
    fn ask_to_save(&mut self, reason: SaveReason) {
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
    fn save_when_due(&mut self) -> Result<(), Error> {
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

    fn save_at_end(&mut self, reason: SaveReason) -> Result<(), Error> {
        self.hold_clocks();
        let by_hand = self.save_due.is_some_and(|due| due.reason == SaveReason::Hand);
        if self.saved_step == Some(self.setup.state.progress.step) && !by_hand {
            return Ok(());
        }
        self.try_save(if by_hand { SaveReason::Hand } else { reason })
    }

    fn try_save(&mut self, reason: SaveReason) -> Result<(), Error> {
        if self.setup.folder.is_none() {
            return Ok(());
        }
        self.setup.state.progress.epoch_seconds += self.epoch_clock.take();
        let checkpoint = self.setup.checkpoint(reason);
        if !checkpoint.is_finite() {
            return Err(self.diverged("the weights became infinite or no numbers", checkpoint.progress.step));
        }
        let Some(folder) = &mut self.setup.folder else { return Ok(()) };
        let saved = folder.save(&checkpoint)?;
        let not_removed = folder.take_prune_fault();
        (self.saved_step, self.save_due, self.warned_at) = (Some(saved.step), None, None);
        self.tell(Event::Saved(saved));
        if let Some(error) = not_removed {
            self.tell(Event::Warning(format!("{error}; it is tried again after the next save")));
        }
        self.publish_now();
        Ok(())
    }

    fn diverged(&self, what: &str, step: u64) -> Error {
        let folder = self.setup.folder.as_ref().map(RunFolder::folder);
        divergence::error(what, step, self.setup.config.learning_rate, folder.zip(self.saved_step))
    }

    fn test(&self) -> TestResult {
        let test = self.setup.learner.model().evaluate(self.setup.dataset.test.bytes());
        TestResult { loss: test.loss, mse: test.mse }
    }

    fn tell_completed(&mut self) {
        if self.setup.linger {
            let test = self.test();
            self.tell(Event::Completed(test));
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more: training goes on without.
        let _ = self.links.events.send(event);
    }

    fn hold_clocks(&mut self) {
        self.epoch_clock.stop();
        self.speed_clock.stop();
    }

    fn measure_speed(&mut self) {
        let step = self.setup.state.progress.step;
        let seconds = self.speed_clock.take();
        self.speed.measured_steps(step - self.measured_step, seconds);
        self.measured_step = step;
    }

    fn publish_when_due(&mut self) {
        if Instant::now() >= self.snapshot_due {
            self.measure_speed();
            self.publish();
        }
    }

    /// Publishes at once, for a reader that has just asked for something.
    fn publish_now(&mut self) {
        if self.phase != Phase::Training {
            self.samples_due = Instant::now();
        }
        self.publish();
    }

    fn publish(&mut self) {
        let now = Instant::now();
        self.snapshot_due = now + NUMBERS_EVERY;
        if self.links.snapshots.receiver_count() == 0 {
            return;
        }
        if now >= self.samples_due {
            let setup = &self.setup;
            self.samples = samples::take(setup.learner.model(), &setup.dataset.test, &self.watched);
            self.samples_due = now + SAMPLES_EVERY;
        }
        self.links.snapshots.send_replace(Arc::new(self.snapshot()));
    }

    fn snapshot(&self) -> Snapshot {
        let state = &self.setup.state;
        let (progress, epochs) = (&state.progress, self.setup.config.epochs);
        let steps_in_all = u64::from(epochs) * self.setup.info.steps_per_epoch;
        let (steps_left, closings_left) =
            (steps_in_all.saturating_sub(progress.step), u64::from(epochs.saturating_sub(progress.epoch)));
        let batch_size = f64::from(self.setup.config.batch_size);
        Snapshot {
            phase: self.phase,
            epochs,
            step: progress.step,
            saved_step: self.saved_step,
            images_per_second: self.speed.steps_per_second(self.pace).unwrap_or(0.0) * batch_size,
            eta_seconds: self.speed.eta(self.pace, steps_left, closings_left),
            pace: self.pace,
            losses: state.losses.clone(),
            recent: state.recent.iter().copied().collect(),
            samples: self.samples.clone(),
        }
    }
}

impl Setup {
    /// The identity of this data set, as a checkpoint keeps it.
    pub fn data_identity(dataset: &Dataset) -> DataIdentity {
        DataIdentity {
            name: dataset.name.clone(),
            rows: dataset.rows as u32,
            cols: dataset.cols as u32,
            train_images: dataset.train.len() as u32,
            validation_images: dataset.validation.len() as u32,
            test_images: dataset.test.len() as u32,
            fingerprint: dataset.fingerprint,
        }
    }
}

#[cfg(test)]
mod interruptions;
#[cfg(test)]
mod saving;
