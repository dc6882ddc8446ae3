//! Networks of IP addresses, as operators write them: `10.0.0.0/8`, `fd00::/8`, or one address.

use std::{
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// An IP network: the addresses that share a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// IPv4 as IPv6 (`::ffff:a.b.c.d`), so that both spellings of one host are one address.
    first: u128,
    /// How many leading bits count.
    prefix: u32,
}

/// The text is neither an address nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an IP address nor a network such as 10.0.0.0/8")]
pub struct NotAddresses;

impl FromStr for Addresses {
    type Err = NotAddresses;

    fn from_str(text: &str) -> Result<Self, NotAddresses> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().map_err(|_| NotAddresses)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotAddresses)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits);
        if prefix > bits {
            return Err(NotAddresses);
        }
        let prefix = prefix + 128 - bits;
        let mapped = u128::from(as_v6(address));
        Ok(Self { first: mapped & mask(prefix), prefix })
    }
}

impl Addresses {
    /// Whether the address is one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        u128::from(as_v6(address)) & mask(self.prefix) == self.first
    }
}

/// What a caller is counted by: the /64 of an IPv6 address, because one caller has all of it; an IPv4 address whole.
pub fn caller_prefix(address: IpAddr) -> u128 {
    let v6 = as_v6(address);
    if v6.to_ipv4_mapped().is_some() { u128::from(v6) } else { u128::from(v6) & mask(64) }
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// The first `prefix` bits.
const fn mask(prefix: u32) -> u128 {
    if prefix == 0 { 0 } else { u128::MAX << (128 - prefix) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_holds_what_begins_alike_in_either_spelling() {
        let network: Addresses = "10.1.0.0/16".parse().expect("a network");
        assert!(network.contain(ip("10.1.255.3")) && network.contain(ip("::ffff:10.1.2.3")));
        assert!(!network.contain(ip("10.2.0.0")) && !network.contain(ip("::10.1.0.0")));
        let one: Addresses = "127.0.0.1".parse().expect("an address");
        assert!(one.contain(ip("127.0.0.1")) && !one.contain(ip("127.0.0.2")));
        let all: Addresses = "::/0".parse().expect("everything");
        assert!(all.contain(ip("1.2.3.4")) && all.contain(ip("2001:db8::1")));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "host", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(text.parse::<Addresses>(), Err(NotAddresses), "{text}");
        }
    }

    #[test]
    fn one_ipv6_network_is_one_caller_and_each_ipv4_address_is_its_own() {
        assert_eq!(caller_prefix(ip("2001:db8::1")), caller_prefix(ip("2001:db8::ffff:1")));
        assert_ne!(caller_prefix(ip("2001:db8::1")), caller_prefix(ip("2001:db8:0:1::1")));
        assert_ne!(caller_prefix(ip("10.0.0.1")), caller_prefix(ip("10.0.0.2")));
        assert_eq!(caller_prefix(ip("10.0.0.1")), caller_prefix(ip("::ffff:10.0.0.1")));
    }
}
