//! Who may know whom. The table is the architecture; a name that is not in a layer's row is a failure.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A layer, the layers it may name and the outside crates it may name.
struct Row {
    layer: &'static str,
    layers: &'static [&'static str],
    crates: &'static [&'static str],
}

const TABLE: &[Row] = &[
    Row { layer: "config", layers: &[], crates: &["serde"] },
    Row { layer: "error", layers: &["format"], crates: &["serde", "thiserror"] },
    Row { layer: "format", layers: &[], crates: &[] },
    Row { layer: "random", layers: &[], crates: &["rand_chacha"] },
    Row { layer: "message", layers: &["config", "error"], crates: &["serde"] },
    Row { layer: "data", layers: &["config", "error"], crates: &["flate2", "sha2", "rustix"] },
    Row { layer: "model", layers: &["config", "error", "random"], crates: &["dfdx", "rayon", "thiserror"] },
    Row {
        layer: "checkpoint",
        layers: &["config", "error", "message"],
        crates: &["serde", "bincode", "crc32fast", "sha2", "rustix"],
    },
    Row {
        layer: "train",
        layers: &["data", "model", "checkpoint", "message", "config", "error", "random"],
        crates: &["tokio"],
    },
    Row {
        layer: "report",
        layers: &["message", "config", "error", "format"],
        crates: &["serde", "serde_json"],
    },
    Row {
        layer: "headless",
        layers: &["message", "config", "error", "format", "report"],
        crates: &["serde", "serde_json"],
    },
    Row {
        layer: "tui",
        layers: &["message", "config", "error", "format"],
        crates: &["ratatui", "crossterm", "tokio", "rustix"],
    },
];

/// The only places where the two sides meet: they may name anything.
const MEETING_PLACES: &[&str] = &["lib", "main", "app", "cli"];

/// Randomness with a seed, which the files of tests may name in any layer.
const TEST_LAYERS: &[&str] = &["random"];

/// Crates that only tests may name.
const TEST_CRATES: &[&str] = &["proptest", "tempfile", "insta", "vt100"];

/// Every layer and outside crate that the code names: `(is a layer, name)`.
fn named(source: &str) -> BTreeSet<(bool, String)> {
    let mut names = BTreeSet::new();
    for line in source.lines() {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("::") {
            let before = &code[..at];
            let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |i| i + 1);
            let word = &before[start..];
            let is_root = !before[..start].ends_with("::") && !word.is_empty();
            if word == "crate" && is_root {
                let rest = code[at + 2..].trim_start();
                let list = rest.strip_prefix('{').map_or(rest, |rest| rest.split('}').next().unwrap_or(rest));
                let parts = if rest.starts_with('{') { list.split(',').collect() } else { vec![list] };
                for part in parts {
                    let name: String =
                        part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    names.insert((true, name));
                }
            } else if is_root && KNOWN_CRATES.contains(&word) {
                names.insert((false, word.to_owned()));
            }
        }
    }
    names
}

const KNOWN_CRATES: &[&str] = &[
    "ratatui",
    "crossterm",
    "dfdx",
    "tokio",
    "clap",
    "serde",
    "bincode",
    "serde_json",
    "thiserror",
    "gemm",
    "rayon",
    "rand_chacha",
    "flate2",
    "crc32fast",
    "sha2",
    "jiff",
    "rustix",
    "proptest",
    "tempfile",
    "insta",
    "vt100",
];

fn violations(layer: &str, source: &str) -> Vec<String> {
    if MEETING_PLACES.contains(&layer) {
        return Vec::new();
    }
    let Some(row) = TABLE.iter().find(|row| row.layer == layer) else {
        return vec![format!("`{layer}` has no row in the table of layers")];
    };
    let allowed = |is_layer: bool, name: &str| {
        if is_layer {
            name == layer || row.layers.contains(&name)
        } else {
            row.crates.contains(&name) || TEST_CRATES.contains(&name)
        }
    };
    let forbidden = named(source).into_iter().filter(|(is_layer, name)| !allowed(*is_layer, name));
    forbidden.map(|(_, name)| format!("`{layer}` names `{name}`")).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("src can be read").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_layer_keeps_to_its_neighbours() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for file in rust_files(&src) {
        let inside = file.strip_prefix(&src).expect("below src");
        let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
        let layer = first.trim_end_matches(".rs");
        let source = fs::read_to_string(&file).expect("a source file is text");
        let is_test = inside
            .components()
            .any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name));
        let named_by_tests = |violation: &String| {
            is_test && TEST_LAYERS.iter().any(|name| violation.ends_with(&format!("names `{name}`")))
        };
        let forbidden = violations(layer, &source).into_iter().filter(|violation| !named_by_tests(violation));
        found.extend(forbidden.map(|violation| format!("{}: {violation}", inside.display())));
    }
    assert!(found.is_empty(), "forbidden imports:\n{}", found.join("\n"));
}

#[test]
fn a_forbidden_import_is_found_however_it_is_written() {
    assert_eq!(violations("tui", "use crate::model::Dense;"), ["`tui` names `model`"]);
    assert_eq!(violations("tui", "let x = crate::data::load();"), ["`tui` names `data`"]);
    assert_eq!(violations("train", "use ratatui::Frame;"), ["`train` names `ratatui`"]);
    assert_eq!(violations("message", "use crate::{config, tui};"), ["`message` names `tui`"]);
    assert_eq!(violations("data", "fn f(x: dfdx::tensor::Cpu) {}"), ["`data` names `dfdx`"]);
    assert_eq!(violations("elsewhere", "").len(), 1);
    assert!(violations("train", "use crate::data::ImageSet; // not crate::tui::run").is_empty());
}

#[test]
fn without_the_screen_there_is_no_terminal_library() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--no-default-features", "--edges", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree runs");
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    assert!(tree.contains("dfdx "), "cargo tree printed nothing useful: {tree}");
    for library in ["ratatui", "crossterm"] {
        assert!(!tree.lines().any(|line| line.starts_with(library)), "{library} is in the tree");
    }
}
