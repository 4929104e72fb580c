//! The exact text of a run in both styles, and what must never be in it.

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
    for event in events {
        printer.event(event).unwrap();
    }
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
    assert_eq!(printed(Style::Json, &failed), "{\"event\":\"failed\",\"message\":\"a \\\"reason\\\"\"}\n");
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
    let lines = printed(Style::Lines, &[Event::Start(Box::new(reference())), Event::Epoch(record)]);
    assert!(lines.ends_with(" 1/20       NaN         inf       inf     0.000           -\n"), "{lines}");
    let without_floors = printed(Style::Lines, &[Event::Epoch(record)]);
    assert!(
        without_floors.ends_with(" 1/1        NaN         inf         -     0.000           -\n"),
        "{without_floors}"
    );
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
