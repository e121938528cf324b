//! Ctrl-C and SIGTERM: stop taking up new work, let what is on its way end, exit 3. A second one quits at once.
//!
//! Quitting at once is safe too: intents are on disk before anything is sent.

use std::io;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::Error;
use crate::exit_code::ExitCode;

/// Whether somebody asked the program to stop. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Interrupt {
    raised: watch::Receiver<bool>,
}

/// Asks the holders of its [`Interrupt`] to stop.
#[derive(Debug)]
pub struct Raise(watch::Sender<bool>);

impl Raise {
    /// Asks them to stop.
    pub fn raise(&self) {
        self.0.send_replace(true);
    }
}

impl Interrupt {
    /// An interrupt that is raised by hand.
    #[must_use]
    pub fn by_hand() -> (Raise, Self) {
        let (sender, raised) = watch::channel(false);
        (Raise(sender), Self { raised })
    }

    /// An interrupt that is never raised.
    #[must_use]
    pub fn never() -> Self {
        Self::by_hand().1
    }

    /// An interrupt that is raised by the first SIGINT or SIGTERM; the second ends the process.
    pub fn on_signals() -> Result<Self, Error> {
        let failed = |source| Error::System { attempt: "listen for signals", source };
        let (raise, interrupt) = Self::by_hand();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let (mut int, mut term) = {
            let _guard = runtime.enter();
            (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?)
        };
        let listen = async move {
            for nth in 1.. {
                tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
                if nth > 1 {
                    quit();
                }
                raise.raise();
            }
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(listen))
            .map_err(|source: io::Error| failed(source))?;
        Ok(interrupt)
    }

    /// Whether it was raised.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        *self.raised.borrow()
    }

    /// Waits until it is raised; for ever if it never will be.
    pub async fn raised(&mut self) {
        if self.raised.wait_for(|raised| *raised).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[expect(clippy::exit, reason = "the user asked twice: nothing more is waited for")]
fn quit() -> ! {
    std::process::exit(ExitCode::Stopped.number().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_holder_sees_it_raised() {
        let (raise, interrupt) = Interrupt::by_hand();
        let other = interrupt.clone();
        assert!(!interrupt.is_raised() && !other.is_raised());
        raise.raise();
        assert!(interrupt.is_raised() && other.is_raised());
        assert!(!Interrupt::never().is_raised());
    }
}
