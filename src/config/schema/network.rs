//! Networks of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.

use core::net::IpAddr;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// Its address; what lies behind the prefix is nought.
    address: IpAddr,
    /// The prefix's bits: 32 at most for IPv4, 128 for IPv6.
    bits: u32,
}

impl Network {
    /// Reads a network.
    ///
    /// # Errors
    /// What is wrong, as a fault says it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected a network such as 10.0.0.0/8 or 2001:db8::/32";
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| expected.to_owned())?;
        let most = width(address);
        let is_number = |bits: &&str| bits.len() <= 3 && bits.bytes().all(|b| b.is_ascii_digit());
        let bits = match bits {
            None => most,
            Some(given) => Some(given)
                .filter(is_number)
                .and_then(|given| given.parse().ok())
                .filter(|&bits| bits <= most)
                .ok_or_else(|| format!("{expected}, its prefix at most {most} bits"))?,
        };
        let network = Self {
            address: masked(address, bits),
            bits,
        };
        if network.address != address {
            let (start, bits) = (network.address, network.bits);
            return Err(format!("the network of {address}/{bits} is {start}/{bits}"));
        }
        if let (IpAddr::V6(v6), Some(bits)) = (address, bits.checked_sub(96))
            && let Some(v4) = v6.to_ipv4_mapped()
        {
            return Err(format!(
                "IPv4 addresses are told from IPv6 ones here, in whichever form they come; say \
                 {v4}/{bits}"
            ));
        }
        Ok(network)
    }

    /// Whether an address lies in the network; an IPv4 address in IPv6 form is that IPv4 address.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.bits) == self.address
    }
}

const fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with nought behind its first bits.
fn masked(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn networks_hold_their_own_addresses_and_no_other() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("192.168.7.1", "192.168.7.1", "192.168.7.2"),
            ("192.168.7.128/25", "192.168.7.255", "192.168.7.127"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "1.2.3.4"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::1", "::1", "::2"),
        ] {
            let read = Network::parse(network).unwrap();
            assert!(read.holds(inside.parse().unwrap()), "{network} {inside}");
            assert!(!read.holds(outside.parse().unwrap()), "{network} {outside}");
        }
    }

    #[test]
    fn texts_that_are_no_network_are_refused_with_the_cure() {
        let expected = "expected a network such as 10.0.0.0/8 or 2001:db8::/32";
        for text in ["", "localhost", "10.0.0/8", "10.0.0.0:80", "/8", "[::1]"] {
            assert_eq!(Network::parse(text).unwrap_err(), expected, "{text}");
        }
        for text in [
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0.0/0008",
        ] {
            let expected = format!("{expected}, its prefix at most 32 bits");
            assert_eq!(Network::parse(text).unwrap_err(), expected, "{text}");
        }
        let slip = Network::parse("10.1.2.3/8").unwrap_err();
        assert_eq!(slip, "the network of 10.1.2.3/8 is 10.0.0.0/8");
        for (mapped, cure) in [
            ("::ffff:10.0.0.0/104", "say 10.0.0.0/8"),
            ("::ffff:0:0/96", "say 0.0.0.0/0"),
            ("::ffff:10.1.2.3", "say 10.1.2.3/32"),
        ] {
            let fault = Network::parse(mapped).unwrap_err();
            assert!(fault.ends_with(cure), "{mapped}: {fault}");
        }
        assert!(Network::parse("::fffe:0:0/95").is_ok());
    }
}
