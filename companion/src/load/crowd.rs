//! Lets a crowd in: the driver in a thread of its own, until the last has left or a signal comes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::failure::Failure;
use crate::log;
use crate::stop::Stop;

use super::buyer::{Arrivals, Manners, Rush};
use super::carrier::Carrier;
use super::drive::Driver;
use super::options::{Options, Shape};
use super::tally::Tally;
use super::world::World;

/// Lets everybody in, and returns what they were told. `connect` makes the connections.
///
/// # Errors
///
/// The connections of the buyers cannot be made.
pub async fn let_in<C>(
    world: &Arc<World>,
    manners: Manners,
    options: &Options,
    connect: C,
) -> Result<Tally, Failure>
where
    C: for<'w> FnOnce(&'w World) -> std::io::Result<Box<dyn Carrier + 'w>> + Send + 'static,
{
    let stop = Stop::on_signals().map_err(|error| Failure::cannot("signals", error))?;
    let stopping = {
        let world = Arc::clone(world);
        tokio::spawn(async move {
            stop.wait().await;
            log::info("stopping: nobody else comes, the books are checked next");
            world.stop.store(true, Ordering::Relaxed);
        })
    };
    let column_us = match options.shape {
        Shape::Spike => 50_000,
        Shape::Tail | Shape::Soak => 250_000,
    };
    let arrivals = Arrivals::new(manners, rush(options));
    let world = Arc::clone(world);
    let driven = tokio::task::spawn_blocking(move || {
        let carrier = connect(&world)?;
        Driver::new(&world, carrier, arrivals, column_us).run()
    });
    let tally = driven
        .await
        .map_err(|error| Failure::cannot("the driver", error))?;
    stopping.abort();
    tally.map_err(|error| Failure::cannot("the buyers' connections", error))
}

/// Returns how the buyers come.
fn rush(options: &Options) -> Rush {
    match (options.shape, options.arrivals_last()) {
        (Shape::Spike, Some(time)) => Rush::Within {
            buyers: options.buyers,
            time,
        },
        (_, time) => Rush::Rate {
            a_second: options.rate(),
            time,
        },
    }
}
