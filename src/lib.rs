//! aescope, an autoencoder scope for the terminal.
//!
//! It trains an autoencoder on images and lets a person look inside while it learns.
//!
//! ```text
//!  data ──► train (blocking task, dfdx) ──watch: latest Snapshot──►  tui (tokio loop, ratatui)
//!             ▲   │                      ──mpsc: Event────────────►  or headless lines / JSON
//!             │   └─► checkpoints/RUN/  (container file, fsync, rename)     │
//!             └────────────mpsc: Command (pause, resume, save, pace, watch, stop)
//! ```
//!
//! Who may know whom (a test enforces it):
//!
//! - [`message`], [`config`] and [`error`] are plain values and know nobody; [`random`] is all randomness.
//! - `data` reads images; it knows no tensor and no screen.
//! - `model` holds layers, operations and the optimizer; it knows no file, no task and no screen.
//! - `checkpoint` keeps what exact resume needs; it knows no tensor and no screen.
//! - `train` drives the three; it knows no screen.
//! - `tui`, `headless` and `report` read events and snapshots and send commands; they know no tensor.
//! - `app`, `cli` and `main` are the only place where the two sides meet.

pub mod config;
pub mod error;
pub mod format;
pub mod message;
pub mod random;

pub mod app;
pub mod checkpoint;
pub mod cli;
pub mod data;
pub mod headless;
pub mod model;
pub mod report;
pub mod train;
#[cfg(feature = "tui")]
pub mod tui;

/// Large buffers begin where a line of the cache does: the vectors of the kernels are read faster so.
#[global_allocator]
static ALLOCATOR: model::LineAligned = model::LineAligned;
