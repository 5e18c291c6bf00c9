//! Names by which a browser may reach the API: those of the Host header, and
//! origins (RFC 6454).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest host name (RFC 1035).
const NAME_MAX: usize = 253;

/// A host as in a URL, in one spelling: lower case, without a last dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HostName {
    /// An address; DNS has no say in it.
    Address(IpAddr),
    /// Any other.
    Name(String),
}

/// A host and maybe a port: the Host header, or `--allow-host`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Host {
    /// The host.
    pub name: HostName,
    /// The port, where one is named.
    pub port: Option<u16>,
}

/// The scheme of an [`Origin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// Where a page comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// Plain or over TLS.
    pub scheme: Scheme,
    /// The host.
    pub name: HostName,
    /// The port, also where the text leaves the scheme's own out.
    pub port: u16,
}

/// A text that is none of these; it says what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(&'static str);

const NO_HOST: AddressError =
    AddressError("give a host name or address, with or without a port, such as deck.example.com or 10.0.0.5:3000");
const NO_ORIGIN: AddressError =
    AddressError("give a scheme, a host and maybe a port, such as https://deck.example.com or http://localhost:8080");

impl HostName {
    /// Whether it means this machine itself, wherever it is said.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::Name(name) => name == "localhost",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return inside.parse().ok().map(|address| Self::Address(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Address(IpAddr::V4(address)));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        // A last label of digits makes it an address that is written in another
        // way (WHATWG URL), which only looks like a name.
        let last_is_number = name.rsplit('.').next().is_some_and(|last| {
            let digits = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
            last.bytes().all(|byte| byte.is_ascii_digit()) || digits.is_some()
        });
        (name.len() <= NAME_MAX && name.split('.').all(is_label) && !last_is_number)
            .then(|| Self::Name(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for Host {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, Some(number(port).ok_or(NO_HOST)?)),
            _ => (text, None),
        };
        Ok(Self { name: HostName::parse(name).ok_or(NO_HOST)?, port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => self.name.fmt(f),
        }
    }
}

fn number(port: &str) -> Option<u16> {
    port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok())?.filter(|port| *port > 0)
}

impl Scheme {
    /// The port of a URL that names none.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl FromStr for Origin {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(NO_ORIGIN)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(NO_ORIGIN),
        };
        let Host { name, port } = rest.parse().map_err(|_| NO_ORIGIN)?;
        Ok(Self { scheme, name, port: port.unwrap_or(scheme.port()) })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.name)?;
        if self.port == self.scheme.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_in_one_spelling() {
        for (text, shown) in [
            ("localhost", "localhost"),
            ("LOCALHOST.:8080", "localhost:8080"),
            ("127.0.0.1:3000", "127.0.0.1:3000"),
            ("[::1]", "[::1]"),
            ("[0:0::1]:3000", "[::1]:3000"),
            ("my_deck.Example.com:1", "my_deck.example.com:1"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a b",
            "a/b",
            "a@b",
            "http://a",
            "*",
            "[::1",
            "::1",
            "a..b",
            ".",
            "127.1",
            "2130706433",
            "0x7f.1",
            "evil.0x7f",
            "ä",
            "a:1:2",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn loopback_is_what_dns_has_no_say_in() {
        let is_loopback = |text: &str| text.parse::<Host>().unwrap().name.is_loopback();
        assert!(["localhost", "LocalHost.", "127.0.0.1", "127.9.9.9", "[::1]"].into_iter().all(is_loopback));
        assert!(!["localhost.evil.com", "evil.localhost", "10.0.0.1", "[::2]", "0.0.0.0"].into_iter().any(is_loopback));
    }

    #[test]
    fn an_origin_has_its_port_said_or_not() {
        let origin = |text: &str| text.parse::<Origin>();
        assert_eq!(origin("http://localhost"), origin("HTTP://localhost:80"));
        assert_eq!(origin("https://a.b:443").unwrap().to_string(), "https://a.b");
        assert_ne!(origin("http://localhost:3000"), origin("http://localhost:3001"));
        for text in
            ["null", "", "file://", "localhost", "http://", "http://a/", "ftp://a", "http://a:b@c", "http://a b"]
        {
            assert!(origin(text).is_err(), "{text:?}");
        }
    }
}
