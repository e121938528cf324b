//! The one gate that every request passes: at the pace of the run, and not at all while the target needs a rest.
//!
//! What the pace is, is for [`Pace`] to say; here is who waits for it. First come, first served.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify, watch};

use super::pace::Pace;

/// Lets requests start.
#[derive(Debug)]
pub(super) struct Limiter {
    gate: Lock<Gate>,
    /// Whose turn it is; first come, first served.
    turn: Mutex<()>,
    /// The gate has changed for whoever waits at it.
    changed: Notify,
    waiting: AtomicUsize,
    moved: Notify,
    closed: watch::Sender<bool>,
}

/// What stands between a request and its start.
#[derive(Debug)]
struct Gate {
    /// None: as fast as they come.
    pace: Option<Pace>,
    not_before: Option<Instant>,
    probe: Probe,
}

/// Whether requests go one by one, to see if the target is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    /// They go as the pace says.
    No,
    /// The next one is the probe.
    Next,
    /// It is on its way; nothing else starts.
    Out,
}

/// What the gate says to a request.
enum Said {
    Go,
    At(Instant),
    Wait,
}

impl Gate {
    /// Lets a request that asked at `asked` start at `now`, or says what it waits for.
    fn ask(&mut self, asked: Instant, now: Instant) -> Said {
        if self.probe == Probe::Out {
            return Said::Wait;
        }
        let place = self.pace.as_ref().map_or(now, |pace| pace.earliest(asked));
        let earliest = self.not_before.map_or(place, |until| until.max(place));
        if earliest > now {
            return Said::At(earliest);
        }
        if let Some(pace) = &mut self.pace {
            pace.started(asked, now);
        }
        if self.probe == Probe::Next {
            self.probe = Probe::Out;
        }
        Said::Go
    }
}

/// The run is ending: no request starts any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed;

impl Limiter {
    /// A limiter that lets one request start every `interval`; none: as fast as they come.
    pub(super) fn new(interval: Option<Duration>) -> Self {
        Self {
            gate: Lock::new(Gate { pace: interval.map(Pace::new), not_before: None, probe: Probe::No }),
            turn: Mutex::new(()),
            changed: Notify::new(),
            waiting: AtomicUsize::new(0),
            moved: Notify::new(),
            closed: watch::Sender::new(false),
        }
    }

    /// Waits until a request may start; never, once the limiter is closed.
    pub(super) async fn acquire(&self) -> Result<(), Closed> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => Err(Closed),
            () = self.wait() => Ok(()),
        }
    }

    /// Lets nothing start any more.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    async fn wait(&self) {
        let asked = Instant::now();
        let _turn = self.turn.lock().await;
        loop {
            let said = self.gate().ask(asked, Instant::now());
            match said {
                Said::Go => return,
                Said::Wait => self.changed.notified().await,
                Said::At(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at.into()) => {}
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }

    /// Lets nothing start for `wait` from now. Never shortens a pause.
    pub(super) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut gate = self.gate();
        gate.not_before = Some(gate.not_before.map_or(until, |before| before.max(until)));
        if let Some(pace) = &mut gate.pace {
            pace.skip_to(until);
        }
    }

    /// Lets nothing start for `wait`, and then one request alone, until [`Limiter::resume`] or another probe.
    pub(super) fn probe_after(&self, wait: Duration) {
        self.pause(wait);
        self.gate().probe = Probe::Next;
        self.changed.notify_one();
    }

    /// A probe that was let go has not been sent: the next request is it.
    pub(super) fn probe_again(&self) {
        let mut gate = self.gate();
        if gate.probe == Probe::Out {
            gate.probe = Probe::Next;
            self.changed.notify_one();
        }
    }

    /// Lets requests go as the pace says.
    pub(super) fn resume(&self) {
        self.gate().probe = Probe::No;
        self.changed.notify_one();
    }

    /// The target answered.
    pub(super) fn answered(&self) {
        if let Some(pace) = &mut self.gate().pace {
            pace.answered(Instant::now());
        }
    }

    /// The target wants fewer requests, as it said to one that began at `began`. Gives the rate as a share of the limit
    /// if it has fallen for that.
    pub(super) fn slow_down(&self, began: Instant) -> Option<f64> {
        let mut gate = self.gate();
        let pace = gate.pace.as_mut()?;
        pace.slow_down(began, Instant::now()).then(|| pace.share())
    }

    /// So many requests start within `time`, at least one; none: as many as come.
    pub(super) fn starts_within(&self, time: Duration) -> Option<usize> {
        let interval = self.gate().pace.as_ref()?.interval();
        Some((time.as_nanos() / interval.as_nanos().max(1)).clamp(1, 1 << 20) as usize)
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a request is being prepared; the guard says when it has started.
    pub(super) fn prepare(self: &Arc<Self>) -> Prepared {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Prepared(self.clone())
    }

    /// Requests prepared and not started.
    pub(super) fn prepared(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Waits until a prepared request has started.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
    }
}

/// A request that has not started yet.
#[derive(Debug)]
pub(super) struct Prepared(Arc<Limiter>);

impl Drop for Prepared {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
        self.0.moved.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_start_comes_before_its_place_however_many_ask() {
        const INTERVAL: Duration = Duration::from_millis(10);
        let begun = Instant::now();
        let limiter = Arc::new(Limiter::new(Some(INTERVAL)));
        let starts = Arc::new(Lock::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (limiter, starts) = (limiter.clone(), starts.clone());
            tasks.spawn(async move {
                for _ in 0..20 {
                    limiter.acquire().await.unwrap();
                    starts.lock().unwrap().push(Instant::now());
                }
            });
        }
        tasks.join_all().await;
        let mut starts = starts.lock().unwrap().clone();
        starts.sort();
        assert_eq!(starts.len(), 160);
        // A start is noted after it was allowed, so a busy machine can only make these times longer.
        for (n, start) in (0..).zip(&starts) {
            assert!(*start - begun >= INTERVAL * n, "start {n} after {:?}", *start - begun);
        }
    }

    #[tokio::test]
    async fn a_pause_holds_everybody_and_is_never_shortened() {
        let limiter = Limiter::new(None);
        let begun = Instant::now();
        limiter.pause(Duration::from_millis(60));
        limiter.pause(Duration::from_millis(5));
        limiter.acquire().await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(60));
    }

    #[tokio::test]
    async fn one_probe_goes_alone_until_it_is_known_what_became_of_it() {
        let limiter = Arc::new(Limiter::new(None));
        limiter.probe_after(Duration::from_millis(1));
        limiter.acquire().await.unwrap();
        let mut next = tokio::spawn({
            let limiter = limiter.clone();
            async move { limiter.acquire().await }
        });
        let early = tokio::time::timeout(Duration::from_millis(50), &mut next).await;
        assert!(early.is_err(), "a second one went");
        limiter.probe_again();
        assert_eq!(next.await.unwrap(), Ok(()));
        limiter.resume();
        for _ in 0..3 {
            limiter.acquire().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_closed_limiter_lets_nobody_wait() {
        let limiter = Arc::new(Limiter::new(Some(Duration::from_hours(1))));
        limiter.acquire().await.unwrap();
        let waiting = tokio::spawn({
            let limiter = limiter.clone();
            async move { limiter.acquire().await }
        });
        limiter.close();
        assert_eq!(waiting.await.unwrap(), Err(Closed));
        assert_eq!(limiter.acquire().await, Err(Closed));
    }
}
