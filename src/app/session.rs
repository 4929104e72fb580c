//! One session: a trainer on a blocking thread beside one reader, until both are done.
//!
//! Whatever happens to the reader, the trainer is asked to stop and is waited for, so that the newest state
//! is on disk before the process ends; whatever happens to the trainer, the reader is told.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

#[cfg(feature = "tui")]
use super::fault;
use super::prepare::Prepared;
use super::{panics, signals};
use crate::config::OnHangup;
use crate::error::Error;
#[cfg(feature = "tui")]
use crate::format;
use crate::headless::{Printer, Style};
use crate::message::{Command, EndReason, EndReport, Event};
use crate::train::{Links, Trainer};
#[cfg(feature = "tui")]
use crate::tui::{self, ScreenEnd};

/// How long a printer may take to write its last lines after a signal, when nobody reads them.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The exit status after a lost terminal, as after SIGHUP.
#[cfg(feature = "tui")]
const HUNG_UP: u8 = 129;

/// Who reads what the trainer tells.
pub(super) enum Reader {
    /// The screen.
    #[cfg(feature = "tui")]
    Dashboard(crate::config::ColorChoice),
    /// Lines on standard output.
    Printer(Style),
}

impl Reader {
    /// Whether somebody may want to look around after the last epoch.
    pub(super) fn lingers(&self) -> bool {
        !matches!(self, Self::Printer(_))
    }
}

/// Runs the session and gives the exit status.
///
/// # Errors
/// When the trainer broke off, the screen failed, or the last save did.
pub(super) fn run(prepared: Prepared, reader: Reader, on_hangup: OnHangup) -> Result<u8, Error> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(panics::SCREEN)
        .enable_all()
        .build()
        .map_err(|source| Error::Io { what: "could not start the runtime".into(), source })?;
    let ended = runtime.block_on(session(prepared, reader, on_hangup));
    // A printer that is stuck in a pipe nobody reads must not keep the process.
    runtime.shutdown_background();
    ended
}

async fn session(prepared: Prepared, reader: Reader, on_hangup: OnHangup) -> Result<u8, Error> {
    let (command_sender, commands) = mpsc::unbounded_channel();
    let (event_sender, events) = mpsc::unbounded_channel();
    let (snapshot_sender, snapshots) = watch::channel(Arc::default());
    let received = signals::watch(&command_sender, on_hangup)?;
    #[cfg(feature = "tui")]
    let folder = prepared.setup.info.folder.clone();
    let links = Links {
        commands,
        events: event_sender.clone(),
        snapshots: snapshot_sender,
        runtime: Handle::current(),
    };
    let trainer = start(prepared, links, event_sender)?;
    let status = match reader {
        Reader::Printer(style) => {
            drop(snapshots);
            let printer = print(style, events, command_sender);
            finished(trainer).await?;
            if received.number().is_some() {
                let _ = tokio::time::timeout(LAST_LINES, printer).await;
            } else {
                printer.await.unwrap_or(Ok(()))?;
            }
            0
        }
        #[cfg(feature = "tui")]
        Reader::Dashboard(color) => {
            let options = tui::ScreenOptions { color, ascii: None };
            let run = tui::run(options, events, snapshots, command_sender.clone());
            let screen = tokio::spawn(async move {
                tokio::select! {
                    end = run => end,
                    never = fault::screen() => match never {},
                }
            });
            let shown = tokio::select! {
                shown = screen => shown.unwrap_or_else(|panic| Err(Error::Training(panics::cause(&panic)))),
                // A failure still stands on the screen, and nobody is left who could stop.
                () = received.unheard() => Ok(ScreenEnd::Failed(String::new())),
            };
            tui::restore();
            let lost = matches!(shown, Ok(ScreenEnd::TerminalLost));
            // Heard or not: a trainer that has ended no longer listens.
            let _ = command_sender.send(match on_hangup {
                OnHangup::Continue if lost => Command::EndWhenDone,
                _ if lost => Command::Stop(EndReason::Signal),
                _ => Command::Stop(EndReason::Stopped),
            });
            match shown {
                Ok(ScreenEnd::ForcedQuit) => super::leave_at_once(130),
                Ok(ScreenEnd::Discarded) => super::leave_at_once(0),
                _ => {}
            }
            let report = finished(trainer).await?;
            shown?;
            if lost {
                if on_hangup == OnHangup::Continue { 0 } else { HUNG_UP }
            } else {
                say_goodbye(folder.as_deref(), &report);
                0
            }
        }
    };
    Ok(received.number().map_or(status, |number| 128 + number))
}

/// Starts the trainer on threads of its own. The events end with `End` or `Failed`, also after a panic.
fn start(
    prepared: Prepared,
    links: Links,
    events: mpsc::UnboundedSender<Event>,
) -> Result<JoinHandle<Result<EndReport, Error>>, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(prepared.threads)
        .thread_name(|_| panics::TRAINER.into())
        .build()
        .map_err(|error| Error::Training(format!("could not start the trainer's threads: {error}")))?;
    let setup = prepared.setup;
    let trainer = tokio::task::spawn_blocking(move || pool.install(|| Trainer::new(setup, links).run()));
    Ok(tokio::spawn(async move {
        match trainer.await {
            Ok(ended) => ended,
            Err(panic) => {
                let cause = format!("{}; checkpoints stay as they were saved last", panics::cause(&panic));
                let _ = events.send(Event::Failed(cause.clone()));
                Err(Error::Training(cause))
            }
        }
    }))
}

async fn finished(trainer: JoinHandle<Result<EndReport, Error>>) -> Result<EndReport, Error> {
    trainer.await.unwrap_or_else(|panic| Err(Error::Training(panics::cause(&panic))))
}

/// Prints events on a thread of its own. A closed pipe is no error: the trainer is asked to save and stop.
fn print(
    style: Style,
    mut events: mpsc::UnboundedReceiver<Event>,
    commands: mpsc::UnboundedSender<Command>,
) -> oneshot::Receiver<Result<(), Error>> {
    let (done, wait) = oneshot::channel();
    std::thread::spawn(move || {
        let mut printer = Printer::new(io::stdout(), style);
        let mut printed = Ok(());
        while let Some(event) = events.blocking_recv() {
            if let Err(error) = printer.event(&event) {
                let _ = commands.send(Command::Stop(EndReason::Stopped));
                if error.kind() != io::ErrorKind::BrokenPipe {
                    printed = Err(Error::Io { what: "standard output".into(), source: error });
                }
                break;
            }
        }
        let _ = done.send(printed);
    });
    wait
}

/// What stays on the terminal when the screen is gone.
#[cfg(feature = "tui")]
fn say_goodbye(folder: Option<&str>, report: &EndReport) {
    let Some(folder) = folder else { return };
    let text = format!(
        "test loss {}, saved in {folder}\ngo on with: aescope resume {folder}\n",
        format::loss(report.test.loss)
    );
    super::tell(io::stdout(), text);
}
