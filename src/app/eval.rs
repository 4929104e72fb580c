//! `aescope eval`: the losses of a checkpoint on the test images.

use std::io::{self, Write};

use super::locate;
use crate::cli::EvalArgs;
use crate::data;
use crate::error::Error;
use crate::message::TestResult;
use crate::report;
use crate::train::restore;

/// Prints the figures on standard output.
pub(super) fn run(args: &EvalArgs) -> Result<(), Error> {
    let Some(found) = locate::checkpoint(Some(&args.file))? else { return Ok(()) };
    let dataset = locate::data_for(&args.data, &found.checkpoint)?;
    let evaluation = restore::model(&found.checkpoint)?.evaluate(dataset.test.bytes());
    let test = TestResult { loss: evaluation.loss, mse: evaluation.mse };
    let floor = data::entropy_floor(&dataset.test);
    let text = if args.json {
        report::evaluation_json(&test, floor, dataset.test.len() as u32)
    } else {
        report::evaluation_lines(&test, floor, dataset.test.len() as u32)
    };
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::Io { what: "standard output".into(), source: error })
        }
        _ => Ok(()),
    }
}
