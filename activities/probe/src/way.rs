//! The way of a client to an endpoint: the addresses of a name, as checks find them too.
//!
//! The client tries one address after the other, and tells what became of the last one. Were that one to which this host has no
//! way (IPv6, where there is none), the refusal of the one before would look like a fault of ours: so those are left out.

use crate::check::resolve::Resolver;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// The resolver may take this long; it goes on by itself, and the next look hears of it. Less than a connection may take,
/// so that its silence is not taken for that of the endpoint.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to whatever has a name.
pub(crate) struct Way(pub(crate) Resolver);

impl Resolve for Way {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.0.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str(), PATIENCE).await?;
            let addresses = reachable(addresses, has_way_to).into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// Those to which there is a way, or all if there is none to any: whoever tries them is told why.
fn reachable(addresses: Vec<IpAddr>, has_way: impl Fn(IpAddr) -> bool) -> Vec<IpAddr> {
    if addresses.len() < 2 {
        return addresses;
    }
    let some: Vec<_> = addresses.iter().copied().filter(|address| has_way(*address)).collect();
    if some.is_empty() { addresses } else { some }
}

/// Whether this host has a way there, which it knows without sending anything.
fn has_way_to(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect((address, 1))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HttpError, NodeError, http};
    use std::io;

    async fn asked(url: &str, resolver: Resolver) -> HttpError {
        let client = http::client(rustls::RootCertStore::empty(), resolver).unwrap();
        http::told("there".to_owned(), &client.get(url).send().await.unwrap_err())
    }

    #[tokio::test]
    async fn a_resolver_that_fails_is_our_fault_and_a_name_without_an_address_is_not() {
        let says = |why: &'static str| {
            let said = format!("failed to lookup address information: {why}");
            asked("http://node.test:1", Resolver::over(move |_| Err(io::Error::other(said.clone()))))
        };
        let silent = says("Temporary failure in name resolution").await;
        assert!(matches!(&silent, HttpError::Ours { reason, .. } if reason.contains("node.test")), "{silent}");
        let unknown = says("Name or service not known").await;
        assert!(matches!(unknown, HttpError::Mismatch { .. }), "{unknown}");
        assert!(!NodeError::Http(unknown).is_silence(), "a restart of the node gives it no name");
    }

    #[tokio::test]
    async fn no_way_out_of_this_host_is_our_fault_and_a_refusal_is_theirs() {
        // The kernel connects to no group, wherever its routes lead.
        let none = asked("http://224.0.0.1:1", Resolver::of_host()).await;
        assert!(matches!(none, HttpError::Ours { .. }), "{none}");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost"] {
            let refused = asked(&format!("http://{host}:{port}"), Resolver::of_host()).await;
            assert!(matches!(refused, HttpError::Connect { .. }), "{host}: {refused}");
            assert!(NodeError::Http(refused).is_silence());
        }
    }

    #[test]
    fn addresses_without_a_way_are_left_out_while_there_are_others() {
        let (four, six): (IpAddr, IpAddr) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
        assert_eq!(reachable(vec![four, six], |address| address.is_ipv4()), [four]);
        assert_eq!(reachable(vec![four, six], |_| false), [four, six]);
        assert_eq!(reachable(vec![six], |_| false), [six]);
        assert!(has_way_to(four));
    }
}
