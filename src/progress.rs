//! How far the work is, on standard error: bars on a terminal, else a line every ten seconds.
//!
//! The only user of indicatif. A stage gets a [`Progress`] and counts; it does not know whether anybody looks.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long a wait may be silent where no bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Bars that are drawn over: a terminal.
    Bars,
    /// A line every ten seconds: a file, a pipe or a terminal without bars.
    Lines,
    /// Nothing.
    Silent,
}

/// Standard error, shared by notes, the log and the bars.
#[derive(Clone, Debug)]
pub struct Screen {
    mode: Mode,
    bars: MultiProgress,
}

impl Screen {
    /// A screen that shows progress as `mode` says.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        let target = if mode == Mode::Bars { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { mode, bars: MultiProgress::with_draw_target(target) }
    }

    /// Writes `text` as it is, the bars out of its way. Nobody is left to tell when standard error is closed.
    pub fn print(&self, text: &[u8]) {
        self.bars.suspend(|| {
            let _ = io::stderr().lock().write_all(text);
        });
    }

    /// Starts to show how far `stage` is, in `unit`s (`"accounts"`), of `total` if that is known.
    ///
    /// It ends when the last clone is dropped.
    #[must_use]
    pub fn start(&self, stage: &'static str, unit: &'static str, total: Option<u64>) -> Progress {
        let count = Arc::new(Count::new(stage, unit, total));
        let shown = match self.mode {
            Mode::Silent => Shown::Nowhere,
            Mode::Bars => Shown::AsBar(self.bars.add(bar(&count))),
            Mode::Lines => Shown::AsLines(lines(self.clone(), Arc::clone(&count))),
        };
        Progress { count, shown: Arc::new(shown) }
    }
}

/// A running count that may be looked at. Cheap to clone and to advance, from any thread.
#[derive(Clone, Debug)]
pub struct Progress {
    count: Arc<Count>,
    shown: Arc<Shown>,
}

impl Progress {
    /// A count that nobody sees.
    #[must_use]
    pub fn hidden() -> Self {
        Screen::new(Mode::Silent).start("hidden", "", None)
    }

    /// `n` more are done.
    pub fn advance(&self, n: u64) {
        self.count.done.fetch_add(n, Ordering::Relaxed);
        if let Shown::AsBar(bar) = &*self.shown {
            bar.inc(n);
        }
    }

    /// There are `total` to do.
    pub fn set_total(&self, total: u64) {
        self.count.total.store(total, Ordering::Relaxed);
        if let Shown::AsBar(bar) = &*self.shown {
            bar.set_length(total);
        }
    }

    /// Says something short beside the count, such as how many are waiting; it replaces what was said before.
    pub fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if let Shown::AsBar(bar) = &*self.shown {
            bar.set_message(text.clone());
        }
        *self.count.beside.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    /// How many are done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.count.done.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Count {
    stage: &'static str,
    unit: &'static str,
    done: AtomicU64,
    /// How many there are to do; [`Count::UNKNOWN`] while nobody knows.
    total: AtomicU64,
    beside: Mutex<String>,
    since: Instant,
}

impl Count {
    const UNKNOWN: u64 = u64::MAX;

    fn new(stage: &'static str, unit: &'static str, total: Option<u64>) -> Self {
        Self {
            stage,
            unit,
            done: AtomicU64::new(0),
            total: AtomicU64::new(total.unwrap_or(Self::UNKNOWN)),
            beside: Mutex::default(),
            since: Instant::now(),
        }
    }

    /// One line: `submit: 1200 of 5000 accounts, 20/s, 190 s left`.
    fn line(&self, elapsed: Duration) -> String {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
        let mut line = format!("{}: {done}", self.stage);
        if total != Self::UNKNOWN {
            let _ = write!(line, " of {total}");
        }
        let _ = write!(line, " {}, {rate:.0}/s", self.unit);
        if total != Self::UNKNOWN && done > 0 {
            let _ = write!(line, ", {:.0} s left", total.saturating_sub(done) as f64 / rate);
        }
        let beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        if !beside.is_empty() {
            let _ = write!(line, ", {beside}");
        }
        line
    }
}

#[derive(Debug)]
enum Shown {
    Nowhere,
    AsBar(ProgressBar),
    /// Dropping the sender ends the thread that writes the lines.
    AsLines(#[expect(dead_code, reason = "held for its drop")] Sender<()>),
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Self::AsBar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn bar(count: &Count) -> ProgressBar {
    let total = count.total.load(Ordering::Relaxed);
    let (bar, template) = if total == Count::UNKNOWN {
        (ProgressBar::new_spinner(), "{prefix:>9} {spinner} {human_pos} UNIT {per_sec} {msg}")
    } else {
        (ProgressBar::new(total), "{prefix:>9} {wide_bar} {human_pos}/{human_len} UNIT {per_sec} {eta} left {msg}")
    };
    let template = template.replace("UNIT", count.unit);
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.set_prefix(count.stage);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// Writes a line every ten seconds until the sender it returns is dropped.
fn lines(screen: Screen, count: Arc<Count>) -> Sender<()> {
    let (sender, ended): (Sender<()>, Receiver<()>) = channel();
    let ticking = thread::Builder::new().name("progress".to_owned()).spawn(move || {
        while ended.recv_timeout(LINE_EVERY) == Err(RecvTimeoutError::Timeout) {
            screen.print(format!("{}\n", count.line(count.since.elapsed())).as_bytes());
        }
    });
    if let Err(problem) = ticking {
        tracing::warn!(%problem, "progress is not shown: no thread for it");
    }
    sender
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_count_rate_and_time_left() {
        let progress = Screen::new(Mode::Silent).start("submit", "accounts", Some(5000));
        progress.advance(1200);
        assert_eq!(progress.count.line(Duration::from_mins(1)), "submit: 1200 of 5000 accounts, 20/s, 190 s left");
        progress.say("3 waiting");
        assert!(progress.count.line(Duration::from_mins(1)).ends_with("left, 3 waiting"));
        assert_eq!(progress.done(), 1200);
    }

    #[test]
    fn a_line_without_a_total_promises_no_end() {
        let progress = Screen::new(Mode::Silent).start("read", "records", None);
        assert_eq!(progress.count.line(Duration::from_secs(1)), "read: 0 records, 0/s");
        progress.set_total(10);
        progress.clone().advance(5);
        assert_eq!(progress.count.line(Duration::from_secs(1)), "read: 5 of 10 records, 5/s, 1 s left");
    }
}
