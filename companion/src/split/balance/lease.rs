//! A soft lease: of several drivers one works, and the others wait for it to end. Without the
//! lease all work, which costs commands and does no harm.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::Value;

use crate::link::{Address, Link, string};
use crate::log;
use crate::retry::Backoff;

/// How long the lease lasts, in milliseconds, and how often it is looked at.
const LASTS_MS: u64 = 1_500;
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// The lease, as this driver sees it.
pub struct Lease {
    is_ours: Arc<AtomicBool>,
    address: Address,
    key: String,
    id: String,
    task: tokio::task::JoinHandle<()>,
}

impl Lease {
    /// Looks at the lease from now on.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn start(address: Address, key: String) -> Result<Self, String> {
        let is_ours = Arc::new(AtomicBool::new(false));
        let id = crate::split::random_ulid()?;
        let looks = looks(
            address.clone(),
            key.clone(),
            id.clone(),
            Arc::clone(&is_ours),
        );
        Ok(Self {
            is_ours,
            address,
            key,
            id,
            task: tokio::spawn(looks),
        })
    }

    /// Whether this driver is to work.
    pub fn is_ours(&self) -> bool {
        self.is_ours.load(Ordering::Relaxed)
    }

    /// Lets the next driver begin at once.
    pub async fn give_up(self) {
        self.task.abort();
        if !self.is_ours() {
            return;
        }
        let given_up = async {
            let link = connect(&self.address, &self.key).await.ok()?;
            let held = link.ask(redis::cmd("GET").arg(&self.key)).await.ok()?;
            if string(&held) == self.id {
                link.ask(redis::cmd("DEL").arg(&self.key)).await.ok()?;
            }
            Some(())
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), given_up).await;
    }
}

async fn connect(address: &Address, key: &str) -> Result<Link, crate::link::LinkError> {
    let mut probe = redis::cmd("EXISTS");
    probe.arg(key);
    Link::connect_by(address, &probe).await
}

async fn looks(address: Address, key: String, id: String, is_ours: Arc<AtomicBool>) {
    let mut backoff = Backoff::default();
    loop {
        let link = match connect(&address, &key).await {
            Ok(link) => link,
            Err(error) => {
                is_ours.store(true, Ordering::Relaxed);
                tokio::time::sleep(backoff.next()).await;
                if backoff.is_first() {
                    log::warn(format!("{key}: {error}; working without it"));
                }
                continue;
            }
        };
        backoff.reset();
        loop {
            let held = hold(&link, &key, &id).await;
            is_ours.store(held.unwrap_or(true), Ordering::Relaxed);
            if held.is_none() {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Takes the lease if nobody has it, and holds on to it. `None` without an answer.
async fn hold(link: &Link, key: &str, id: &str) -> Option<bool> {
    let mut take = redis::cmd("SET");
    take.arg(key).arg(id).arg("NX").arg("PX").arg(LASTS_MS);
    if link.ask(&take).await.ok()? != Value::Nil {
        return Some(true);
    }
    let holder = link.ask(redis::cmd("GET").arg(key)).await.ok()?;
    if string(&holder) != id {
        return Some(false);
    }
    link.ask(redis::cmd("PEXPIRE").arg(key).arg(LASTS_MS))
        .await
        .ok()?;
    Some(true)
}
