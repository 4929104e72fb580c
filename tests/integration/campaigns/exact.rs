//! A chain of random kills ends with the bits of a run that was left alone.

use std::time::Duration;

use super::{Campaign, TINY, home, start};
use crate::essence::essence;
use crate::program::{run, stderr};

/// Kills one run again and again, each time somewhere in its next few epochs; then lets it come to its end.
fn chain_of_kills(mut campaign: Campaign) {
    let home = home();
    let epochs = 20 + 3 * campaign.trials;
    let made = run(home.path(), &format!("train {TINY} --epochs {epochs} --run straight --headless"));
    assert!(made.status.success(), "{}", stderr(&made));
    let mut last = 0;
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let folder = home.path().join("chain");
        let begun = aescope::checkpoint::newest_valid(&folder).map(|newest| newest.checkpoint.progress.step);
        // At 500 steps a second an epoch of ten steps takes 20 ms.
        let words = match begun {
            Ok(_) => "resume chain --data data --threads 1 --pace 500 --json".into(),
            Err(_) => format!("train {TINY} --epochs {epochs} --pace 500 --run chain --json"),
        };
        let mut child = start(home.path(), &words);
        let mut random = campaign.random(trial);
        std::thread::sleep(Duration::from_millis(u64::from(10 + random.below(50))));
        let early = child.try_wait().expect("its state");
        child.kill().expect("killed");
        let output = child.wait_with_output().expect("its output");
        let step = begun.unwrap_or(0);
        campaign.count(match early {
            Some(status) if !status.success() => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Some(_) => Err("the run came to its end before the last kill".into()),
            None if step < last => Err(format!("went back from step {last} to {step}")),
            None => Ok(()),
        });
        last = step;
    }
    println!("a chain of kills: the last one found step {last} of {}", epochs * 10);
    let ended = run(home.path(), "resume chain --data data --headless");
    assert!(ended.status.success(), "{}", stderr(&ended));
    assert!(essence(&home.path().join("chain")) == essence(&home.path().join("straight")), "the bits differ");
    campaign.end();
}

#[test]
fn chain_of_kills_short() {
    chain_of_kills(Campaign::short("a chain of kills", 12));
}

#[test]
#[ignore = "the long form"]
fn chain_of_kills_long() {
    chain_of_kills(Campaign::long("a chain of kills", 100));
}
