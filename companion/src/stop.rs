//! The wish to stop: SIGTERM or SIGINT, known to every task.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Tells one task whether the program is to stop.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns a `Stop` that SIGTERM and SIGINT set.
    ///
    /// # Errors
    ///
    /// The system refuses the handlers.
    pub fn on_signals() -> std::io::Result<Self> {
        let (sender, receiver) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            // Nobody listens any more: then nothing has to stop.
            let _ = sender.send(true);
            std::future::pending::<()>().await;
        });
        Ok(Self(receiver))
    }

    /// Returns a `Stop` and what sets it.
    #[cfg(test)]
    pub fn by_hand() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Reports whether the program is to stop.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the program is to stop.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        // An error means that the sender is gone, and that nobody can ask for a stop.
        if receiver.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Sleeps, but not beyond the wish to stop.
    pub async fn sleep(&self, time: std::time::Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.wait() => {}
        }
    }
}
