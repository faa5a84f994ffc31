//! `host:port`.

use std::fmt;

/// A host, by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Without the brackets of an IPv6 address.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

impl Address {
    /// Reads `host:port`, `192.0.2.1:80` or `[2001:db8::1]:80`; nothing if it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_name = |host: &str| !host.contains(|c: char| c.is_whitespace() || c.is_control() || "/:[]@".contains(c));
        let host = match bare {
            Some(bare) => bare.parse::<std::net::Ipv6Addr>().ok().map(|_| bare)?,
            None => Some(host).filter(|host| (1..=253).contains(&host.len()) && is_name(host))?,
        };
        let port = port.parse().ok().filter(|port| *port > 0 && text.is_ascii())?;
        Some(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_host_and_a_port_make_an_address() {
        for text in ["a:1", "node-1.example.org:65535", "192.0.2.1:80", "[::1]:80"] {
            assert_eq!(Address::parse(text).map(|address| address.to_string()).as_deref(), Some(text));
        }
        for text in ["", "a", ":1", "a:", "a:0", "a:65536", "::1:80", "[::1]", "[a]:1", "a b:1", "http://a:1", "u@a:1"]
        {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_written_alike(text in ".{0,30}") {
            if let Some(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()), Some(address));
            }
        }
    }
}
