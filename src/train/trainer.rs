//! The loop itself.

mod publish;
mod save;

#[cfg(test)]
mod interruptions;
#[cfg(test)]
mod saving;

use std::time::{Duration, Instant};

use super::divergence;
use super::setup::{Links, Setup};
use super::speed::{Speed, Stopwatch};
use crate::config::Pace;
use crate::error::Error;
use crate::message::{Command, EndReason, EndReport, Event, Phase, Sample, SaveReason, TestResult};
use save::SaveDue;

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
        let images = |batch: &[u32]| -> Vec<&[u8]> {
            batch.iter().map(|&image| train.image(image as usize)).collect()
        };
        let state = &self.setup.state;
        let loss = self.setup.learner.step(&images(state.next_batch()), &images(state.batch_after_next()));
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
}
