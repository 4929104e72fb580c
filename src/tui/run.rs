//! The loop that joins the terminal, the trainer's messages and the state.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_current_process_group, kill_process};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::dashboard::Dashboard;
use super::options::ScreenOptions;
use super::state::{Effect, Msg, ScreenEnd};
use super::terminal::{Input, Tty, Writer, Written, listen, opening, restore};
use crate::error::Error;
use crate::message::{Command, Event, Snapshot};

/// Keys that may wait to be taken.
const KEYS: usize = 256;
/// How long the last frame may take before the screen is left.
const FAREWELL: Duration = Duration::from_millis(200);

/// Shows the screen until the run has ended, the person has left or the terminal is gone.
///
/// # Errors
/// If there is no terminal, or it cannot be set up.
pub async fn run(
    options: ScreenOptions,
    events: UnboundedReceiver<Event>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    commands: UnboundedSender<Command>,
) -> Result<ScreenEnd, Error> {
    let mut screen = Screen::start(Tty::open()?, options, &snapshots, commands)?;
    let end = screen.run(events, snapshots).await;
    if let Ok(end) = &end
        && *end != ScreenEnd::TerminalLost
        && !screen.idle
    {
        let _ = tokio::time::timeout(FAREWELL, screen.written.recv()).await;
    }
    restore();
    end
}

/// How long to wait for the signal that wakes this process; the time in which it is stopped counts.
const WAKING: Duration = Duration::from_millis(500);

const LOST: Result<ScreenEnd, Error> = Ok(ScreenEnd::TerminalLost);

/// Everything that the loop holds.
struct Screen {
    tty: Arc<Tty>,
    dashboard: Dashboard,
    writer: Writer,
    /// What the writer says; one report a frame.
    written: UnboundedReceiver<Written>,
    /// What the next frame begins with.
    opening: Vec<u8>,
    /// Whether the last frame is out.
    idle: bool,
    inputs: mpsc::Receiver<Input>,
    commands: UnboundedSender<Command>,
    epoch: Instant,
}

/// Signals that concern the terminal.
struct JobSignals {
    resized: Signals,
    stop: Signals,
    go_on: Signals,
}

impl Screen {
    fn start(
        tty: Arc<Tty>,
        options: ScreenOptions,
        snapshots: &watch::Receiver<Arc<Snapshot>>,
        commands: UnboundedSender<Command>,
    ) -> Result<Self, Error> {
        let cannot = |source| Error::Io { what: "cannot start a thread for the screen".into(), source };
        let size = tty.size();
        let (reports, written) = mpsc::unbounded_channel();
        let (keys, inputs) = mpsc::channel(KEYS);
        if let Err(error) = tty.enter() {
            restore();
            return Err(error);
        }
        let threads = Writer::start(Arc::clone(&tty), reports)
            .and_then(|writer| listen(Arc::clone(&tty), keys).map(|()| writer));
        let writer = threads.map_err(|error| {
            restore();
            cannot(error)
        })?;
        let variable = |name: &str| std::env::var(name).ok();
        let dashboard = Dashboard::new(options, variable, size, Arc::clone(&snapshots.borrow()));
        let (opening, epoch) = (opening(), Instant::now());
        Ok(Self { tty, dashboard, writer, written, opening, idle: true, inputs, commands, epoch })
    }

    async fn run(
        &mut self,
        mut events: UnboundedReceiver<Event>,
        mut snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> Result<ScreenEnd, Error> {
        let listen = |kind| {
            signal(kind).map_err(|source| Error::Io { what: "cannot listen for signals".into(), source })
        };
        let mut signals = JobSignals {
            resized: listen(SignalKind::window_change())?,
            stop: listen(SignalKind::from_raw(Signal::TSTP.as_raw()))?,
            go_on: listen(SignalKind::from_raw(Signal::CONT.as_raw()))?,
        };
        let (mut more_events, mut more_snapshots) = (true, true);
        loop {
            let next = self.draw();
            let msg = tokio::select! {
                biased;
                input = self.inputs.recv() => match input {
                    Some(Input::Key(key)) => Msg::Key(key),
                    Some(Input::Lost) | None => return LOST,
                },
                report = self.written.recv() => match report {
                    Some(Written::Done) => { self.idle = true; continue }
                    Some(Written::Lost) | None => return LOST,
                },
                event = events.recv(), if more_events => {
                    more_events = event.is_some();
                    event.map_or(Msg::TrainerGone, Msg::Event)
                }
                changed = snapshots.changed(), if more_snapshots => {
                    if changed.is_err() { more_snapshots = false; continue }
                    Msg::Snapshot(Arc::clone(&snapshots.borrow_and_update()))
                }
                Some(()) = signals.resized.recv() => self.resized(),
                Some(()) = signals.stop.recv() => {
                    let stop = || kill_process(getpid(), Signal::STOP);
                    let Some(msg) = self.suspend(&mut signals.go_on, stop).await else { return LOST };
                    msg
                }
                // Stopped from outside and back: a shell may have had the terminal meanwhile.
                Some(()) = signals.go_on.recv() => {
                    let Some(msg) = self.reenter() else { return LOST };
                    msg
                }
                () = wait(next, self.epoch) => Msg::Tick,
            };
            match self.take(msg) {
                Next::On => {}
                Next::Leave(end) => return Ok(end),
                Next::Suspend => {
                    // As the terminal does on Ctrl-Z: the whole job stops, whoever else is in it.
                    let stop = || kill_current_process_group(Signal::STOP);
                    let Some(msg) = self.suspend(&mut signals.go_on, stop).await else { return LOST };
                    self.take(msg);
                }
            }
        }
    }

    fn resized(&self) -> Msg {
        let (width, height) = self.tty.size();
        Msg::Resize(width, height)
    }

    fn take(&mut self, msg: Msg) -> Next {
        let mut next = Next::On;
        for effect in self.dashboard.update(msg, self.epoch.elapsed()) {
            match effect {
                // Nobody is there to take it only after the end, which shows by itself.
                Effect::Send(command) => drop(self.commands.send(command)),
                Effect::Suspend => next = Next::Suspend,
                Effect::Leave(end) => return Next::Leave(end),
                // Done by the dashboard itself.
                Effect::Repaint => {}
            }
        }
        next
    }

    /// Draws if there is something to draw, the last frame is out and it is time; says when to look again.
    fn draw(&mut self) -> Option<Duration> {
        if self.idle
            && let Some(frame) = self.dashboard.frame(self.epoch.elapsed())
        {
            let mut bytes = std::mem::take(&mut self.opening);
            bytes.extend(frame);
            self.writer.send(bytes);
            self.idle = false;
        }
        let due = self.dashboard.frame_due().filter(|_| self.idle);
        [due, self.dashboard.tick_due()].into_iter().flatten().min()
    }

    /// Gives the terminal back, stops as Ctrl-Z does, and takes the terminal again after.
    ///
    /// Tokio never gives SIGTSTP its own meaning back; SIGSTOP has no other.
    async fn suspend(
        &mut self,
        go_on: &mut Signals,
        stop: impl FnOnce() -> rustix::io::Result<()>,
    ) -> Option<Msg> {
        // One that came before is not the one to wait for.
        let _ = tokio::time::timeout(Duration::ZERO, go_on.recv()).await;
        restore();
        if stop().is_ok() {
            // The signal may take effect a moment after the call returns.
            let _ = tokio::time::timeout(WAKING, go_on.recv()).await;
        }
        self.reenter()
    }

    /// Takes the terminal again and draws everything; `None` if the terminal is gone.
    fn reenter(&mut self) -> Option<Msg> {
        self.tty.enter().ok()?;
        self.opening = opening();
        Some(self.resized())
    }
}

/// What follows from a message for the loop.
enum Next {
    On,
    Suspend,
    Leave(ScreenEnd),
}

/// Waits until `moment` after `epoch`, or for ever.
async fn wait(moment: Option<Duration>, epoch: Instant) {
    match moment {
        Some(moment) => sleep_until(epoch + moment).await,
        None => std::future::pending().await,
    }
}
