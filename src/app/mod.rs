//! Where the two sides meet: what was asked for becomes data, a trainer and a reader.
//!
//! `prepare` turns options into a [`Setup`](crate::train::Setup), `session` runs a trainer beside a
//! reader (the dashboard or the headless printer) until both are done, `signals` turns signals into
//! commands, `panics` keeps a panic from losing the terminal or the message, `fault` makes
//! one to see that.

mod eval;
mod fault;
mod locate;
mod panics;
mod prepare;
mod session;
mod signals;

#[cfg(feature = "tui")]
use std::io::IsTerminal;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::{Cli, Command, OutputArgs};
use crate::config::OnHangup;
use crate::error::Error;
use crate::headless::Style;
use session::Reader;

/// Does what the command line asks for; errors are told on standard error.
pub fn run(cli: Cli) -> ExitCode {
    panics::install();
    match dispatch(cli) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            tell(std::io::stderr(), format!("aescope: {error}\n"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(cli: Cli) -> Result<u8, Error> {
    match cli.command {
        Command::Train(args) => {
            let reader = reader(args.output);
            session::run(prepare::train(&args, reader.lingers())?, reader, args.output.on_hangup)
        }
        Command::Resume(args) => {
            let output = args.train.output;
            let reader = reader(output);
            session::run(prepare::resume(&args, reader.lingers())?, reader, output.on_hangup)
        }
        Command::Browse(args) => {
            let reader = dashboard(args.color).ok_or_else(|| {
                Error::Usage("browse needs a terminal; for figures in a pipe use `aescope eval FILE`".into())
            })?;
            session::run(prepare::browse(&args)?, reader, OnHangup::Stop)
        }
        Command::Eval(args) => eval::run(&args).map(|()| 0),
    }
}

/// The dashboard on a terminal; lines where there is none or where they are asked for.
fn reader(output: OutputArgs) -> Reader {
    if output.json {
        return Reader::Printer(Style::Json);
    }
    let dashboard = if output.headless { None } else { dashboard(output.color) };
    dashboard.unwrap_or(Reader::Printer(Style::Lines))
}

#[cfg(feature = "tui")]
fn dashboard(color: crate::config::ColorChoice) -> Option<Reader> {
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    on_terminal.then_some(Reader::Dashboard(color))
}

#[cfg(not(feature = "tui"))]
fn dashboard(_: crate::config::ColorChoice) -> Option<Reader> {
    None
}

/// Gives the terminal back, if the screen has it. Safe to call at any time, from any thread.
fn restore_terminal() {
    #[cfg(feature = "tui")]
    crate::tui::restore();
}

/// How long the last words may take where nobody reads them.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Writes what stays when everything is over. A terminal that is not read takes nothing for minutes, a dead one
/// fails: neither may keep the process, so the writing is left behind after a moment.
fn tell(mut to: impl Write + Send + 'static, text: String) {
    let (done, wait) = std::sync::mpsc::channel();
    let writer = std::thread::Builder::new().spawn(move || {
        let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
        let _ = done.send(());
    });
    if writer.is_ok() {
        let _ = wait.recv_timeout(LAST_WORDS);
    }
}

/// Ends the process without waiting for anybody: the answer to a second signal or a second Ctrl-C.
fn leave_at_once(status: u8) -> ! {
    restore_terminal();
    std::process::exit(i32::from(status))
}
