//! The command line: what goes in, what comes out, and how it ends.

use std::fs;
use std::process::Stdio;

use aescope::checkpoint::{self, Checkpoint};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::{aescope, json_lines, run, signal, stderr, stdout, wait};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn newest(run: &std::path::Path) -> Checkpoint {
    checkpoint::newest_valid(run).expect("a checkpoint").checkpoint
}

#[test]
fn json_lines_are_as_documented() {
    let folder = folder();
    let output = run(folder.path(), "train --data mnist-5k --epochs 2 --run r --json");
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = json_lines(&output);
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().expect("an event")).collect();
    assert_eq!(events, ["start", "epoch", "saved", "epoch", "saved", "end"]);
    let start = &lines[0];
    assert_eq!(start["parameters"], 50_992);
    assert_eq!((&start["train_images"], &start["validation_images"]), (&3_200.into(), &800.into()));
    let epoch = &lines[3];
    assert_eq!((&epoch["epoch"], &epoch["epochs"], &epoch["step"]), (&2.into(), &2.into(), &50.into()));
    for number in ["train_loss", "validation_loss", "seconds", "images_per_second"] {
        assert!(epoch[number].as_f64().expect("a number") > 0.0);
    }
    let saved = &lines[4];
    assert_eq!(saved["step"], 50);
    let path = folder.path().join(saved["path"].as_str().expect("a path"));
    let end = &lines[5];
    assert_eq!(end["reason"], "finished");

    let evaluated = run(folder.path(), &format!("eval {} --data mnist-5k --json", path.display()));
    let figures = &json_lines(&evaluated)[0];
    assert_eq!(figures["test_loss"].as_f64(), end["test_loss"].as_f64());
    assert_eq!(figures["images"], 1_000);
    assert!(figures["floor"].as_f64() < figures["test_loss"].as_f64());
    let record = newest(&folder.path().join("r")).history[1];
    assert_eq!(epoch["train_loss"].as_f64(), Some(record.train_loss), "numbers read back to the same bits");
}

#[test]
fn a_pipe_gets_lines_and_never_an_escape_byte() {
    let folder = folder();
    for args in ["--epochs 1", "train --epochs 1 --color truecolor", "--epochs 1 --json"] {
        let output = run(folder.path(), args);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b));
    }
    assert!(stdout(&run(folder.path(), "--epochs 1")).contains("50,992"));
}

#[test]
fn wrong_arguments_end_with_two() {
    let folder = folder();
    for args in
        ["--epochs none", "--batch-size 0", "--nonsense", "fly", "eval", "--learning-rate -1", "--color pink"]
    {
        let output = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
    assert!(run(folder.path(), "--help").status.success());
    assert!(run(folder.path(), "--version").status.success());
}

#[test]
fn missing_things_are_named() {
    let folder = folder();
    for (args, words) in [
        ("train --data nowhere", "nowhere"),
        ("train --data mnist", "mnist-5k"),
        ("eval gone.aescope", "gone.aescope"),
        ("resume", "aescope train"),
        ("resume gone", "gone"),
        ("browse", "terminal"),
    ] {
        let output = run(folder.path(), args);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{args}");
        assert!(stderr(&output).contains(words), "{args}: {}", stderr(&output));
    }
}

#[test]
fn train_refuses_a_folder_with_a_run() {
    let folder = folder();
    assert!(run(folder.path(), "train --epochs 1 --run r --headless").status.success());
    let output = run(folder.path(), "train --epochs 1 --run r --headless");
    assert!(!output.status.success());
    assert!(stderr(&output).contains("aescope resume r"), "{}", stderr(&output));
}

#[test]
fn a_damaged_checkpoint_is_named_and_passed_over() {
    let folder = folder();
    assert!(run(folder.path(), "train --epochs 3 --run r --headless").status.success());
    let newest = folder.path().join("r/step-00000075.aescope");
    let mut bytes = fs::read(&newest).expect("the newest checkpoint");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, bytes).expect("damage");

    let evaluated = run(folder.path(), "eval r/step-00000075.aescope");
    assert_eq!(evaluated.status.code(), Some(1));
    let message = stderr(&evaluated);
    assert!(message.contains("step-00000075.aescope") && message.contains("does not match"), "{message}");

    let resumed = run(folder.path(), "resume r --json");
    assert!(resumed.status.success(), "{}", stderr(&resumed));
    let lines = json_lines(&resumed);
    let warning = lines.iter().find(|line| line["event"] == "warning").expect("a warning");
    assert!(warning["message"].as_str().expect("text").contains("step-00000075.aescope"));
    assert!(lines.iter().any(|line| line["event"] == "epoch" && line["step"] == 75));
}

#[test]
fn contradictions_are_refused_by_name() {
    let folder = folder();
    assert!(run(folder.path(), "train --epochs 1 --run r --headless").status.success());
    for (args, word) in [
        ("resume r --code 16", "--code"),
        ("resume r --seed 2", "--seed"),
        ("resume r --hidden 64", "--hidden"),
        ("resume r --batch-size 64", "--batch-size"),
        ("resume r --learning-rate 0.1", "--learning-rate"),
    ] {
        let output = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args}");
        assert!(stderr(&output).contains(word), "{args}: {}", stderr(&output));
    }
    assert!(run(folder.path(), "resume r --code 32 --seed 1 --epochs 2").status.success());
}

#[test]
fn a_complete_run_says_so_and_leaves() {
    let folder = folder();
    assert!(run(folder.path(), "train --epochs 1 --run r --headless").status.success());
    let output = run(folder.path(), "resume r --json");
    assert!(output.status.success());
    let lines = json_lines(&output);
    assert_eq!(lines.last().expect("an end")["reason"], "finished");
    assert!(!lines.iter().any(|line| line["event"] == "epoch"));
}

#[test]
fn other_data_are_refused() {
    let folder = folder();
    assert!(run(folder.path(), "train --epochs 1 --run r --headless").status.success());
    let few = folder.path().join("few");
    fs::create_dir(&few).expect("a folder");
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 28, 0, 0, 0, 28];
    images.resize(16 + 20 * 784, 7);
    fs::write(few.join("images-idx3-ubyte"), images).expect("images");
    let output = run(folder.path(), "resume r --data few");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--data"), "{}", stderr(&output));
}

#[test]
fn every_signal_saves_first() {
    for (sent, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let folder = folder();
        let mut child = aescope(folder.path(), "train --epochs 100 --pace 50 --run r --json")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(std::time::Duration::from_millis(400));
        signal(&child, sent);
        assert_eq!(wait(&mut child).code(), Some(status));
        let output = child.wait_with_output().expect("its output");
        let lines = json_lines(&output);
        assert_eq!(lines.last().expect("an end")["reason"], "signal");
        let saved = lines.iter().rev().find(|line| line["event"] == "saved").expect("a save");
        assert_eq!(saved["step"].as_u64(), Some(newest(&folder.path().join("r")).progress.step));
    }
}

#[test]
fn a_closed_pipe_ends_quietly_with_the_work_saved() {
    let folder = folder();
    let mut child = aescope(folder.path(), "train --epochs 1000 --pace 200 --run r --json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(std::time::Duration::from_millis(300));
    drop(child.stdout.take());
    assert_eq!(wait(&mut child).code(), Some(0));
    let output = child.wait_with_output().expect("its output");
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
    assert!(newest(&folder.path().join("r")).progress.step > 0);
}

#[test]
fn a_second_trainer_on_the_same_folder_is_refused() {
    let folder = folder();
    let mut first = aescope(folder.path(), "train --epochs 1000 --pace 20 --run r --headless")
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(std::time::Duration::from_millis(400));
    let second = run(folder.path(), "train --epochs 1 --run r --headless");
    assert_eq!(second.status.code(), Some(1), "{}", stdout(&second));
    signal(&first, Signal::KILL);
    wait(&mut first);
}
