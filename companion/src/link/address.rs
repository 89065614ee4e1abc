//! Where the servers are: `redis://[user[:password]@]host:port[/db][,host:port...]`.

use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, Value};

use super::{CONNECT_WITHIN, LinkError, string};

/// How to find the primary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Way {
    /// The first of the servers that is one.
    Direct,
    /// The servers are Sentinels; they are asked for the primary of this name.
    Sentinel(String),
    /// The servers are nodes of a cluster, any of them.
    Cluster,
}

/// Servers, with what it takes to connect.
#[derive(Clone, Debug)]
pub struct Address {
    pub servers: Vec<(String, u16)>,
    pub way: Way,
    scheme: &'static str,
    /// `user:password@` as in the URL, or empty.
    credentials: String,
    /// `/0`, or empty.
    database: String,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// In words, without the URL, which may hold a password.
    pub fn parse(url: &str, way: Way) -> Result<Self, String> {
        let (scheme, rest) = match url.split_once("://") {
            Some(("redis", rest)) => ("redis", rest),
            Some(("rediss", rest)) => ("rediss", rest),
            _ => return Err("the Redis URL begins with neither redis:// nor rediss://".into()),
        };
        let (credentials, rest) = match rest.rsplit_once('@') {
            Some((credentials, rest)) => (format!("{credentials}@"), rest),
            None => (String::new(), rest),
        };
        let mut database = String::new();
        let mut servers = Vec::new();
        for server in rest.split(',') {
            let (server, number) = server.split_once('/').unwrap_or((server, ""));
            if !number.is_empty() {
                let _: u32 = number
                    .parse()
                    .map_err(|_| "the database in the Redis URL is no number".to_owned())?;
                database = format!("/{number}");
            }
            servers.push(host_and_port(server, &way)?);
        }
        if way == Way::Cluster && !matches!(database.as_str(), "" | "/0") {
            return Err("a cluster has database 0 alone".into());
        }
        Ok(Self {
            servers,
            way,
            scheme,
            credentials,
            database,
        })
    }

    /// Reports whether what is said is encrypted.
    pub fn is_secret(&self) -> bool {
        self.scheme == "rediss"
    }

    /// Returns the address of another server that takes the same user.
    pub fn of_server(&self, server: (String, u16), way: Way) -> Self {
        Self {
            servers: vec![server],
            way,
            ..self.clone()
        }
    }

    /// Returns a URL that names all servers.
    pub fn whole_url(&self) -> String {
        let server = |(host, port): &(String, u16)| match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let servers: Vec<String> = self.servers.iter().map(server).collect();
        format!(
            "{}://{}{}{}",
            self.scheme,
            self.credentials,
            servers.join(","),
            self.database
        )
    }

    /// Returns the user, if any, with the password, and the number of the database.
    pub fn login(&self) -> (Option<String>, Option<String>, i64) {
        let url = self.url("localhost", 6_379);
        match url.into_connection_info() {
            Ok(info) => {
                let settings = info.redis_settings();
                let text = |text: Option<&str>| text.map(str::to_owned);
                (
                    text(settings.username()),
                    text(settings.password()),
                    settings.db(),
                )
            }
            // It was parsed when the connection was made.
            Err(_) => (None, None, 0),
        }
    }

    /// Returns the URL of one server.
    pub(super) fn url(&self, host: &str, port: u16) -> String {
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        format!(
            "{}://{}{host}:{port}{}",
            self.scheme, self.credentials, self.database
        )
    }

    /// Returns the primary that the first Sentinel to answer names.
    pub(super) async fn ask_sentinels(&self, name: &str) -> Result<(String, u16), LinkError> {
        let mut last = LinkError::NoPrimary("no Sentinel given".into());
        for (host, port) in &self.servers {
            match self.ask_sentinel(host, *port, name).await {
                Ok(server) => return Ok(server),
                Err(LinkError::Redis(error)) => {
                    let text = super::explain(&error);
                    last = LinkError::NoPrimary(format!("the Sentinel {host}:{port}: {text}"));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The credentials of the URL are those of the servers; a Sentinel is asked without.
    async fn ask_sentinel(
        &self,
        host: &str,
        port: u16,
        name: &str,
    ) -> Result<(String, u16), LinkError> {
        let client = Client::open(format!("{}://{host}:{port}", self.scheme))?;
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(CONNECT_WITHIN))
            .set_connection_timeout(Some(CONNECT_WITHIN));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        match connection.send_packed_command(&command).await? {
            Value::Array(parts) if parts.len() == 2 => {
                let port = string(&parts[1]).parse();
                let port =
                    port.map_err(|_| LinkError::NoPrimary("a Sentinel names no port".into()))?;
                Ok((string(&parts[0]), port))
            }
            Value::ServerError(error) => Err(LinkError::Redis(error.into())),
            _ => Err(LinkError::NoPrimary(format!(
                "the Sentinel {host}:{port} knows no primary {name}"
            ))),
        }
    }
}

fn host_and_port(server: &str, way: &Way) -> Result<(String, u16), String> {
    let default = if matches!(way, Way::Sentinel(_)) {
        26_379
    } else {
        6_379
    };
    let (host, port) = match server.rsplit_once(':') {
        // The colons of an IPv6 address in brackets.
        Some((_, port)) if port.ends_with(']') => (server, ""),
        Some((host, port)) => (host, port),
        None => (server, ""),
    };
    let port = if port.is_empty() {
        default
    } else {
        port.parse()
            .map_err(|_| "a port in the Redis URL is no number".to_owned())?
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err("a host is missing in the Redis URL".into());
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_server_and_several() {
        let one = Address::parse("redis://ann:s%40d@db:7000/2", Way::Direct).expect("a URL");
        assert_eq!(one.url("db", 7000), "redis://ann:s%40d@db:7000/2");
        let two = Address::parse("rediss://a,[::1]:7001", Way::Direct).expect("a URL");
        assert_eq!(two.servers, [("a".into(), 6379), ("::1".into(), 7001)]);
        assert_eq!(two.url("::1", 7001), "rediss://[::1]:7001");
        let sentinels = Address::parse("redis://a,b", Way::Sentinel("m".into())).expect("a URL");
        assert_eq!(sentinels.servers[1], ("b".into(), 26379));
    }

    #[test]
    fn says_what_is_wrong_without_the_password() {
        for (url, way, says) in [
            (
                "http://:secret@a",
                Way::Direct,
                "the Redis URL begins with neither redis:// nor rediss://",
            ),
            (
                "redis://:secret@a:x",
                Way::Direct,
                "a port in the Redis URL is no number",
            ),
            (
                "redis://:secret@a/x",
                Way::Direct,
                "the database in the Redis URL is no number",
            ),
            (
                "redis://:secret@",
                Way::Direct,
                "a host is missing in the Redis URL",
            ),
            (
                "redis://:secret@a/1",
                Way::Cluster,
                "a cluster has database 0 alone",
            ),
        ] {
            assert_eq!(Address::parse(url, way).map(|_| ()), Err(says.into()));
        }
    }
}
