//! Rates that blow the model up: a clear end, the last good checkpoint, and a way back that works.

use aescope::checkpoint::newest_valid;

use super::{Campaign, TINY, home};
use crate::program::{run, stderr};

fn blow_up(mut campaign: Campaign) {
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let mut random = campaign.random(trial);
        let rate = ["1e6", "1e8", "1e12", "1e20", "1e30", "3e38"][random.below(6) as usize];
        let seed = random.below(1_000_000);
        campaign.count(one(rate, seed).map_err(|failure| format!("rate {rate}, seed {seed}: {failure}")));
    }
    campaign.end();
}

fn one(rate: &str, seed: u32) -> Result<(), String> {
    let home = home();
    let words = format!("train {TINY} --seed {seed} --learning-rate {rate} --epochs 100 --run new --json");
    let output = run(home.path(), &words);
    let message = stderr(&output);
    if output.status.code() != Some(1) || !message.contains("became") || !message.contains("smaller rate") {
        return Err(format!("a new run: {} {message}", output.status));
    }
    // Whatever was saved on the way is finite.
    if let Ok(newest) = newest_valid(&home.path().join("new"))
        && !newest.checkpoint.is_finite()
    {
        return Err("a state without numbers was saved".into());
    }
    let good = run(home.path(), &format!("train {TINY} --seed {seed} --epochs 3 --run good --headless"));
    assert!(good.status.success(), "{}", stderr(&good));
    let before = newest_valid(&home.path().join("good")).map_err(|error| error.to_string())?.checkpoint;
    let words =
        format!("resume good --data data --learning-rate {rate} --epochs 100 --run branch --headless");
    let output = run(home.path(), &words);
    let message = stderr(&output);
    let offered = message.split("aescope ").last().unwrap_or_default().trim();
    if output.status.code() != Some(1) || !offered.starts_with("resume branch --learning-rate 0.001") {
        return Err(format!("a branch: {} {message}", output.status));
    }
    let branch = newest_valid(&home.path().join("branch")).map_err(|error| error.to_string())?.checkpoint;
    if !branch.is_finite() || branch.progress.best.is_some_and(|best| !best.validation_loss.is_finite()) {
        return Err("the newest state of the branch is not good".into());
    }
    let output = run(home.path(), &format!("{offered} --data data --epochs {}", branch.progress.epoch + 2));
    if !output.status.success() {
        return Err(format!("the way back that was offered: {offered}: {}", stderr(&output)));
    }
    let after = newest_valid(&home.path().join("good")).map_err(|error| error.to_string())?.checkpoint;
    if after == before { Ok(()) } else { Err("the run that was branched off from has changed".into()) }
}

#[test]
fn blow_up_short() {
    blow_up(Campaign::short("blown up models", 6));
}

#[test]
#[ignore = "the long form"]
fn blow_up_long() {
    blow_up(Campaign::long("blown up models", 300));
}

/// The rate that the words of a person name first.
#[test]
fn a_rate_of_a_million_stops_the_reference_model_with_a_message() {
    let home = tempfile::tempdir().expect("a folder");
    let output = run(home.path(), "train --data mnist-5k --learning-rate 1e6 --run r --json");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("loss became"), "{}", stderr(&output));
    assert!(newest_valid(&home.path().join("r")).is_err(), "nothing of it is worth keeping");
}
