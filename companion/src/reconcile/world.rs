//! The server and the database, waited for when they go away.
//!
//! Every step may be repeated, so what was asked by a connection that broke is asked again. A
//! server that is another process than at the start ends the program: what was compared with the
//! old one says nothing about the new one.

use redis::{Cmd, Value};

use crate::failure::Failure;
use crate::link::{Address, Link, LinkError, explain};
use crate::log;
use crate::retry::Backoff;
use crate::sql::{self, Database, describe};

/// Requests that travel together.
pub const PIPELINE: usize = 500;

/// Pipelines on their way at a time: while the server works on one, the next is written.
const PIPELINES: usize = 4;

/// The codes by which a server says that it is not the one to ask now.
const ELSEWHERE: [&str; 9] = [
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "MOVED",
    "ASK",
    "TRYAGAIN",
    "NOPERM",
    "NOAUTH",
];

/// The primary that has the sale.
pub struct Server {
    address: Address,
    probe: Cmd,
    pub link: Link,
}

impl Server {
    /// Connects to the primary of a sale.
    ///
    /// # Errors
    ///
    /// None answers, or it is a replica.
    pub async fn connect(address: &Address, sale: &str) -> Result<Self, Failure> {
        let mut probe = redis::cmd("FLASHSALE.INFO");
        probe.arg(sale);
        let link = Link::connect_by(address, &probe).await;
        Ok(Self {
            link: link.map_err(|error| Failure::cannot("Redis", error))?,
            address: address.clone(),
            probe,
        })
    }

    /// Sends commands, and returns their answers in order. An answer may be an error.
    ///
    /// # Errors
    ///
    /// Another server answers; it is no primary any more, or the user lacks a right.
    pub async fn ask_all(&mut self, commands: &[Cmd]) -> Result<Vec<Value>, Failure> {
        let mut answers = Vec::with_capacity(commands.len());
        for some in commands.chunks(PIPELINE * PIPELINES) {
            answers.extend(self.ask_some(some).await?);
        }
        Ok(answers)
    }

    /// Sends one command.
    ///
    /// # Errors
    ///
    /// As `ask_all`; the answer is an error.
    pub async fn ask(&mut self, command: Cmd) -> Result<Value, Failure> {
        let answer = self.ask_all(&[command]).await?.pop();
        match answer.unwrap_or(Value::Nil) {
            Value::ServerError(error) => {
                let error = redis::RedisError::from(error);
                Err(Failure::CannotGoOn(explain(&error)))
            }
            answer => Ok(answer),
        }
    }

    async fn ask_some(&mut self, commands: &[Cmd]) -> Result<Vec<Value>, Failure> {
        let mut backoff = Backoff::default();
        loop {
            let pipelines = commands.chunks(PIPELINE);
            let asked = pipelines.map(|some| self.link.ask_all(some.to_vec()));
            let error = match futures_util::future::try_join_all(asked).await {
                Ok(answers) => {
                    let answers = answers.concat();
                    answers.iter().try_for_each(check_answer)?;
                    return Ok(answers);
                }
                Err(error) => LinkError::from(error),
            };
            self.reconnect(&error, &mut backoff).await?;
        }
    }

    /// Waits until the server answers again.
    async fn reconnect(&mut self, error: &LinkError, backoff: &mut Backoff) -> Result<(), Failure> {
        log::warn(format!("Redis: {error}; trying again until it answers"));
        loop {
            tokio::time::sleep(backoff.next()).await;
            let Ok(link) = Link::connect_by(&self.address, &self.probe).await else {
                continue;
            };
            if link.run_id != self.link.run_id {
                return Err(Failure::CannotGoOn(format!(
                    "{} is not the process that was here before: run this again",
                    link.server
                )));
            }
            self.link = link;
            return Ok(());
        }
    }

    /// Where this server is.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

fn check_answer(answer: &Value) -> Result<(), Failure> {
    let Value::ServerError(error) = answer else {
        return Ok(());
    };
    if !ELSEWHERE.contains(&error.code()) {
        return Ok(());
    }
    let error = redis::RedisError::from(error.clone());
    Err(Failure::CannotGoOn(format!(
        "{}: run this again",
        explain(&error)
    )))
}

/// The database with the worker's tables.
pub struct Sql {
    url: String,
    database: Option<Database>,
    backoff: Backoff,
}

impl Sql {
    /// Takes over a connection.
    pub fn new(url: String, database: Database) -> Self {
        Self {
            url,
            database: Some(database),
            backoff: Backoff::default(),
        }
    }

    /// Runs an act, and again as long as the database is away.
    ///
    /// # Errors
    ///
    /// The database refuses the act for good.
    pub async fn run<T>(
        &mut self,
        act: impl AsyncFn(&mut Database) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        loop {
            let error = match self.try_run(&act).await {
                Ok(done) => {
                    self.backoff.reset();
                    return Ok(done);
                }
                Err(error) => error,
            };
            // A transaction that is open goes with its connection.
            self.database = None;
            if !sql::is_passing(&error) {
                return Err(error);
            }
            let wait = self.backoff.next();
            if self.backoff.is_first() {
                let why = describe(&error);
                log::warn(format!("SQL: {why}; trying again until it succeeds"));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_run<T>(
        &mut self,
        act: &impl AsyncFn(&mut Database) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        if self.database.is_none() {
            self.database = Some(Database::connect(&self.url).await?);
        }
        match &mut self.database {
            Some(database) => act(database).await,
            None => Err(sqlx::Error::WorkerCrashed),
        }
    }
}

/// Says what the database refuses.
pub fn refused(error: &sqlx::Error) -> Failure {
    Failure::CannotGoOn(format!("the database: {}", describe(error)))
}
