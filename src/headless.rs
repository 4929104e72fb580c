//! Events as lines for a pipe, a file or a log: for people, or one JSON object each.
//!
//! Every line is written whole and flushed, so that a reader sees it at once, and none holds an escape
//! byte. It knows nothing of tasks: somebody else receives the events, and decides what a closed pipe
//! means.

use std::io::{self, Write};

use serde::Serialize;

use crate::format::{loss, printable, rate, thousands};
use crate::message::{EndReason, EndReport, EpochRecord, Event, Floors, RunInfo, SavedCheckpoint};
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
            Style::Json => Line::of(event, self.epochs).as_ref().map(json_line),
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
            loss(record.validation_loss - self.floors.validation),
            record.seconds,
            rate(record.images_per_second),
        )
    }
}

/// A line of JSON.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    Start {
        run: &'a str,
        folder: Option<&'a str>,
        data: &'a str,
        rows: u32,
        cols: u32,
        epochs: u32,
        steps_per_epoch: u64,
        step: u64,
        batch_size: u32,
        code: u32,
        hidden: &'a [u32],
        learning_rate: f32,
        seed: u64,
        threads: u32,
        floors: Floors,
        test_images: u32,
        parameters: u64,
        train_images: u32,
        validation_images: u32,
    },
    Epoch {
        epoch: u32,
        epochs: u32,
        step: u64,
        train_loss: f64,
        validation_loss: f64,
        seconds: f64,
        images_per_second: f64,
    },
    Saved {
        path: &'a str,
        step: u64,
    },
    Warning {
        message: &'a str,
    },
    Failed {
        message: &'a str,
    },
    End {
        reason: EndReason,
        test_loss: f64,
        test_mse: f64,
    },
}

impl<'a> Line<'a> {
    /// The line of an event in a run of so many epochs, if it has one.
    fn of(event: &'a Event, epochs: u32) -> Option<Self> {
        Some(match event {
            Event::Start(run) => Self::start(run),
            &Event::Epoch(EpochRecord {
                epoch,
                step,
                train_loss,
                validation_loss,
                seconds,
                images_per_second,
            }) => {
                Self::Epoch { epoch, epochs, step, train_loss, validation_loss, seconds, images_per_second }
            }
            Event::Saved(SavedCheckpoint { path, step, .. }) => Self::Saved { path, step: *step },
            // Its figures come with the end.
            Event::Completed(_) => return None,
            Event::Warning(message) => Self::Warning { message },
            Event::Failed(message) => Self::Failed { message },
            &Event::End(EndReport { reason, test }) => {
                Self::End { reason, test_loss: test.loss, test_mse: test.mse }
            }
        })
    }

    fn start(run: &'a RunInfo) -> Self {
        let (config, data) = (&run.config, &run.data);
        Self::Start {
            run: &run.run,
            folder: run.folder.as_deref(),
            data: &data.name,
            rows: data.rows,
            cols: data.cols,
            epochs: config.epochs,
            steps_per_epoch: run.steps_per_epoch,
            step: run.step,
            batch_size: config.batch_size,
            code: config.code,
            hidden: &config.hidden,
            learning_rate: config.learning_rate,
            seed: config.seed,
            threads: run.threads,
            floors: data.floors,
            test_images: data.test_images,
            parameters: run.parameters(),
            train_images: data.train_images,
            validation_images: data.validation_images,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{SaveReason, TestResult};
    use crate::report::tests::reference;

    fn epoch(epoch: u32) -> Event {
        Event::Epoch(EpochRecord {
            epoch,
            step: 375 * u64::from(epoch),
            train_loss: 0.241_234,
            validation_loss: 0.1702,
            seconds: 0.31,
            images_per_second: 154_838.709_677_419_36,
        })
    }

    fn saved() -> Event {
        let path = "checkpoints/2026-11-23-1904/step-00000375.aescope".into();
        Event::Saved(SavedCheckpoint { path, step: 375, reason: SaveReason::Epoch })
    }

    const TEST: TestResult = TestResult { loss: 0.0922, mse: 0.009_36 };

    fn a_run() -> Vec<Event> {
        vec![
            Event::Start(Box::new(reference())),
            epoch(1),
            saved(),
            Event::Warning("cannot save: disk full".into()),
            epoch(20),
            Event::Completed(TEST),
            Event::End(EndReport { reason: EndReason::Finished, test: TEST }),
        ]
    }

    fn printed(style: Style, events: &[Event]) -> String {
        let mut text = Vec::new();
        let mut printer = Printer::new(&mut text, style);
        events.iter().for_each(|event| printer.event(event).unwrap());
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_run_in_json() {
        let expected = r#"{"event":"start","run":"2026-11-23-1904","folder":"checkpoints/2026-11-23-1904","data":"mnist","rows":28,"cols":28,"epochs":20,"steps_per_epoch":375,"step":0,"batch_size":128,"code":32,"hidden":[],"learning_rate":0.001,"seed":1,"threads":2,"floors":{"train":0.0584165,"validation":0.0581503,"test":0.0580797},"test_images":10000,"parameters":50992,"train_images":48000,"validation_images":12000}
{"event":"epoch","epoch":1,"epochs":20,"step":375,"train_loss":0.241234,"validation_loss":0.1702,"seconds":0.31,"images_per_second":154838.70967741936}
{"event":"saved","path":"checkpoints/2026-11-23-1904/step-00000375.aescope","step":375}
{"event":"warning","message":"cannot save: disk full"}
{"event":"epoch","epoch":20,"epochs":20,"step":7500,"train_loss":0.241234,"validation_loss":0.1702,"seconds":0.31,"images_per_second":154838.70967741936}
{"event":"end","reason":"finished","test_loss":0.0922,"test_mse":0.00936}
"#;
        assert_eq!(printed(Style::Json, &a_run()), expected);
    }

    #[test]
    fn a_run_in_lines() {
        let expected = "
epoch     train  validation    excess   seconds    images/s
 1/20    0.2412      0.1702    0.1120     0.310     154,839
saved checkpoints/2026-11-23-1904/step-00000375.aescope (step 375)
warning: cannot save: disk full
20/20    0.2412      0.1702    0.1120     0.310     154,839
finished: test loss 0.09220 (floor 0.05808, excess 0.03412), mean squared error 0.00936
";
        assert_eq!(printed(Style::Lines, &a_run()), summary(&reference()) + expected);
    }

    #[test]
    fn ends_say_why() {
        let end = |style, reason| printed(style, &[Event::End(EndReport { reason, test: TEST })]);
        assert!(end(Style::Lines, EndReason::Stopped).starts_with("stopped: test loss 0.09220 "));
        assert!(end(Style::Lines, EndReason::Signal).starts_with("stopped by a signal: "));
        assert!(end(Style::Json, EndReason::Stopped).contains("\"reason\":\"stopped\""));
        assert!(end(Style::Json, EndReason::Signal).contains("\"reason\":\"signal\""));
        let failed = [Event::Failed("a \"reason\"".into())];
        assert_eq!(
            printed(Style::Json, &failed),
            "{\"event\":\"failed\",\"message\":\"a \\\"reason\\\"\"}\n"
        );
        assert_eq!(printed(Style::Lines, &failed), "failed: a \"reason\"\n");
    }

    #[test]
    fn added_epochs_raise_the_total() {
        let events = [Event::Start(Box::new(reference())), epoch(20), epoch(21)];
        let json = printed(Style::Json, &events);
        assert!(json.contains("\"epoch\":20,\"epochs\":20,"), "{json}");
        assert!(json.contains("\"epoch\":21,\"epochs\":21,"), "{json}");
    }

    #[test]
    fn numbers_read_back_to_the_same_bits() {
        let mut run = reference();
        run.config.learning_rate = f32::from_bits(0x3a83_126e);
        run.config.seed = u64::MAX;
        let record = EpochRecord {
            epoch: 1,
            step: 1,
            train_loss: 0.1 + 0.2,
            validation_loss: f64::MIN_POSITIVE,
            seconds: 1.0 / 3.0,
            images_per_second: 1e300,
        };
        let events = [Event::Start(Box::new(run.clone())), Event::Epoch(record)];
        let json = printed(Style::Json, &events);
        let number = |line: usize, key: &str| {
            let line = json.lines().nth(line).unwrap();
            let (_, rest) = line.split_once(&format!("\"{key}\":")).unwrap();
            rest.split([',', '}']).next().unwrap().to_string()
        };
        let rate: f32 = number(0, "learning_rate").parse().unwrap();
        assert_eq!(rate.to_bits(), run.config.learning_rate.to_bits());
        assert_eq!(number(0, "seed").parse(), Ok(u64::MAX));
        for (key, value) in [
            ("train_loss", record.train_loss),
            ("validation_loss", record.validation_loss),
            ("seconds", record.seconds),
            ("images_per_second", record.images_per_second),
        ] {
            assert_eq!(number(1, key).parse::<f64>().unwrap().to_bits(), value.to_bits(), "{key}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_null_in_json_and_named_in_lines() {
        let record = EpochRecord {
            epoch: 1,
            step: 1,
            train_loss: f64::NAN,
            validation_loss: f64::INFINITY,
            seconds: 0.0,
            images_per_second: f64::INFINITY,
        };
        let json = printed(Style::Json, &[Event::Epoch(record)]);
        assert!(json.contains("\"train_loss\":null,\"validation_loss\":null,"), "{json}");
        let lines = printed(Style::Lines, &[Event::Epoch(record)]);
        assert!(lines.ends_with(" 1/1        NaN         inf       inf     0.000           -\n"), "{lines}");
    }

    #[test]
    fn no_active_byte_leaves() {
        let bad = "x\u{1b}]0;y\u{7}\n\u{9b}\u{202e}";
        let mut run = reference();
        run.run = bad.into();
        run.folder = Some(bad.into());
        let events = [
            Event::Start(Box::new(run)),
            Event::Saved(SavedCheckpoint { path: bad.into(), step: 1, reason: SaveReason::Hand }),
            Event::Warning(bad.into()),
            Event::Failed(bad.into()),
        ];
        for style in [Style::Lines, Style::Json] {
            let text = printed(style, &events);
            assert!(!text.contains(|c| c != '\n' && crate::format::is_active(c)), "{text}");
        }
        assert_eq!(printed(Style::Json, &events).lines().count(), 4);
    }

    #[test]
    fn each_event_is_written_at_once_and_a_closed_pipe_is_reported() {
        struct Pipe(Vec<usize>);
        impl Write for Pipe {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if self.0.len() == 2 {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                self.0.push(bytes.len());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut printer = Printer::new(io::BufWriter::new(Pipe(Vec::new())), Style::Json);
        printer.event(&epoch(1)).unwrap();
        printer.event(&saved()).unwrap();
        assert_eq!(printer.writer.get_ref().0.len(), 2);
        assert_eq!(printer.event(&saved()).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
