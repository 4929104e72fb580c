//! The loop itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::progress::TrainState;
use super::samples;
use super::speed::{Speed, Stopwatch};
use crate::checkpoint::{DataIdentity, RunFolder, RunIdentity};
use crate::config::{Pace, RunConfig};
use crate::data::Dataset;
use crate::error::{Error, printable};
use crate::message::{
    Command, EndReason, EndReport, Event, Phase, RunInfo, Sample, SaveReason, Snapshot, TestResult,
};
use crate::model::Learner;

/// How often a snapshot is published while training, at most.
const NUMBERS_EVERY: Duration = Duration::from_millis(100);
/// How often the watched samples are computed anew while training, at most.
const SAMPLES_EVERY: Duration = Duration::from_millis(250);

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

/// Makes steps until the run is complete or a reader says stop.
pub struct Trainer {
    setup: Setup,
    links: Links,
    phase: Phase,
    pace: Pace,
    saved_step: Option<u64>,
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
        self.publish_now();
        loop {
            self.take_commands();
            if let Some(reason) = self.stop {
                self.save_at_end(SaveReason::Stop)?;
                return Ok(EndReport { reason, test: self.test() });
            }
            match self.phase {
                Phase::Training => self.train_on()?,
                Phase::Finished | Phase::Browsing if !self.setup.linger => {
                    self.save_at_end(SaveReason::Epoch)?;
                    return Ok(EndReport { reason: EndReason::Finished, test: self.test() });
                }
                _ => self.wait_for_command(None),
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
            return Err(self.diverged(loss));
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
            self.close_epoch();
        }
        Ok(())
    }

    fn close_epoch(&mut self) {
        self.measure_speed();
        self.hold_clocks();
        let closing = Instant::now();
        self.setup.state.progress.epoch_seconds += self.epoch_clock.take();
        let validation = self.setup.learner.model().evaluate(self.setup.dataset.validation.bytes());
        let record = self.setup.state.close_epoch(self.setup.config.seed, validation.loss);
        self.tell(Event::Epoch(record));
        let last = record.epoch >= self.setup.config.epochs;
        if last || record.epoch.is_multiple_of(self.setup.save_every.max(1)) {
            self.save(SaveReason::Epoch);
        }
        self.speed.measured_closing(closing.elapsed().as_secs_f64());
        if last {
            self.phase = Phase::Finished;
            self.tell_completed();
            self.publish_now();
        }
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
            None => std::thread::sleep(self.next_step_at.saturating_duration_since(Instant::now())),
        }
    }

    fn obey(&mut self, command: Command) {
        match (command, self.phase) {
            (Command::Pause, Phase::Training) => self.phase = Phase::Paused,
            (Command::Resume, Phase::Paused) => self.phase = Phase::Training,
            (Command::Save, phase) if phase != Phase::Browsing => self.save(SaveReason::Hand),
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

    /// Saves; a failure is told and the run goes on, so that the next save can try again.
    fn save(&mut self, reason: SaveReason) {
        self.hold_clocks();
        if let Err(error) = self.try_save(reason) {
            self.tell(Event::Warning(format!("{error}; training goes on, the next save tries again")));
        }
    }

    fn save_at_end(&mut self, reason: SaveReason) -> Result<(), Error> {
        self.hold_clocks();
        if self.saved_step == Some(self.setup.state.progress.step) {
            return Ok(());
        }
        self.try_save(reason)
    }

    fn try_save(&mut self, reason: SaveReason) -> Result<(), Error> {
        if self.setup.folder.is_none() {
            return Ok(());
        }
        self.setup.state.progress.epoch_seconds += self.epoch_clock.take();
        let checkpoint = self.setup.checkpoint(reason);
        let Some(folder) = &mut self.setup.folder else { return Ok(()) };
        let saved = folder.save(&checkpoint)?;
        self.saved_step = Some(saved.step);
        self.tell(Event::Saved(saved));
        Ok(())
    }

    fn diverged(&self, loss: f64) -> Error {
        let last_good = match (&self.setup.folder, self.saved_step) {
            (Some(folder), Some(step)) => format!(
                "the last good checkpoint is step {step} in {}; start again with a smaller --learning-rate",
                printable(folder.folder())
            ),
            _ => "nothing was saved yet; start again with a smaller --learning-rate".into(),
        };
        let step = self.setup.state.progress.step + 1;
        let rate = self.setup.config.learning_rate;
        Error::Training(format!("the loss became {loss} at step {step} (learning rate {rate}): {last_good}"))
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
