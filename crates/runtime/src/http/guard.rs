//! What is public: the guard against requests to our own network (SSRF).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Whether an address belongs to the public internet. Loopback, private, link-local (cloud metadata among them), shared,
/// benchmark, documentation, multicast and reserved ranges do not, whichever form of IPv6 carries them.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4_is_public(v4),
        IpAddr::V6(v6) => v6_is_public(v6),
    }
}

fn v4_is_public(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let internal = address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19));
    !internal
}

fn v6_is_public(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        v4_is_public(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // IPv4 in IPv6: mapped, compatible (loopback and unspecified among them), NAT64, 6to4.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // NAT64 for local use, Teredo, documentation, then everything that is not global unicast (2000::/3).
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] | [0x2001, 0xdb8, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Refuses a URL whose host is written as an internal address, or that is not HTTP. Names are refused when resolved.
pub(super) fn literal(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("only http and https are spoken".to_owned());
    }
    let address = match url.host() {
        Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
        Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
        Some(Host::Domain(_)) => return Ok(()),
        None => return Err("the URL has no host".to_owned()),
    };
    if is_public(address) { Ok(()) } else { Err(REFUSED.to_owned()) }
}

const REFUSED: &str = "the address is internal and not on the list of allowed origins";

/// `host:port`, lower case, of an origin, a URL or a `host:port`. A bare host means port 443.
pub(super) fn authority(entry: &str) -> String {
    let with_scheme = if entry.contains("://") { entry.to_owned() } else { format!("https://{entry}") };
    match Url::parse(&with_scheme) {
        Ok(url) => {
            let port = url.port_or_known_default().unwrap_or(443);
            format!("{}:{port}", url.host_str().unwrap_or_default())
        }
        Err(_) => entry.to_ascii_lowercase(),
    }
}

/// Resolves names as the system does and keeps only public addresses. The connection is made to what was checked, so
/// a name that answers differently the second time gains nothing.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(REFUSED.into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}
