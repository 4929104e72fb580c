//! Same configuration, data and seed: same bits, whatever the threads, and whether or not it was interrupted.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use aescope::checkpoint;
use rustix::process::Signal;

use crate::essence::{Essence, essence};
use crate::program::{aescope, json_lines, run, signal, stderr, wait};

fn train(folder: &Path, run_folder: &str, options: &str) -> Essence {
    let output = run(folder, &format!("train --data mnist-5k --run {run_folder} --headless {options}"));
    assert!(output.status.success(), "{}", stderr(&output));
    essence(&folder.join(run_folder))
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    for model in ["", "--hidden 64,48 --code 7 --batch-size 50"] {
        let one = train(folder.path(), "one", &format!("--epochs 2 --threads 1 {model}"));
        for threads in ["1", "2", "3", "8"] {
            let many = format!("many-{threads}");
            let other = train(folder.path(), &many, &format!("--epochs 2 --threads {threads} {model}"));
            assert!(one == other, "{threads} threads, model `{model}`");
            std::fs::remove_dir_all(folder.path().join(many)).expect("removed");
        }
        std::fs::remove_dir_all(folder.path().join("one")).expect("removed");
    }
}

#[test]
fn another_seed_gives_other_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(train(folder.path(), "a", "--epochs 1") != train(folder.path(), "b", "--epochs 1 --seed 2"));
}

/// Trains 20 epochs; is stopped in the middle of the 8th, killed later without warning, and resumed each time.
#[test]
fn a_run_that_was_stopped_and_killed_ends_like_one_that_was_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let straight = train(folder.path(), "straight", "--epochs 20 --keep 100");
    let run_folder = folder.path().join("broken");

    let mut child =
        aescope(folder.path(), "train --data mnist-5k --epochs 20 --run broken --pace 400 --headless")
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
    // 7 epochs are 175 steps: at 400 steps a second the signal comes in the middle of the 8th or close by.
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, Signal::TERM);
    assert_eq!(wait(&mut child).code(), Some(143));
    let stopped_at = essence(&run_folder).0;
    assert!(stopped_at > 0 && stopped_at < 500);

    let mut child = aescope(folder.path(), "resume broken --pace 400 --headless")
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::KILL);
    wait(&mut child);
    assert!(essence(&run_folder).0 >= stopped_at);

    let resumed = run(folder.path(), "resume broken --headless");
    assert!(resumed.status.success(), "{}", stderr(&resumed));
    assert!(essence(&run_folder) == straight, "the bits differ");

    let figures = |run_name: &str| {
        let output = run(folder.path(), &format!("eval {run_name} --data mnist-5k --json"));
        let line = json_lines(&output).remove(0);
        (
            line["test_loss"].as_f64().expect("a loss").to_bits(),
            line["test_mse"].as_f64().expect("an error").to_bits(),
        )
    };
    assert_eq!(figures("straight"), figures("broken"));
}

#[test]
fn more_epochs_continue_as_if_they_had_been_asked_for_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let straight = train(folder.path(), "straight", "--epochs 5");
    train(folder.path(), "short", "--epochs 3");
    assert!(run(folder.path(), "resume short --epochs 5 --headless").status.success());
    assert!(essence(&folder.path().join("short")) == straight);
}

/// Steps have partial epochs behind them at every stop: each chunk is stopped wherever the signal finds it.
#[test]
fn a_chain_of_stops_does_not_move_a_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let straight = train(folder.path(), "straight", "--epochs 6");
    let mut command = "train --data mnist-5k --epochs 6 --run chain";
    for _ in 0..5 {
        let mut child = aescope(folder.path(), &format!("{command} --pace 300 --headless"))
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(150));
        signal(&child, Signal::INT);
        wait(&mut child);
        if folder.path().join("chain").is_dir()
            && checkpoint::newest_valid(&folder.path().join("chain")).is_ok()
        {
            command = "resume chain";
        }
    }
    let finished = run(folder.path(), &format!("{command} --headless"));
    assert!(finished.status.success(), "{}", stderr(&finished));
    assert!(essence(&folder.path().join("chain")) == straight);
}
