//! Parses, calls, and turns an error into an exit status.

use std::process::ExitCode;

use aescope::{app, cli};
use clap::Parser;

fn main() -> ExitCode {
    app::run(cli::Cli::parse_from(cli::with_default_command(std::env::args_os())))
}
