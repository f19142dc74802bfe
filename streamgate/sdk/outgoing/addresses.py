"""Which addresses are public: everything in IANA's special-purpose registries that is not globally reachable is not.

Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates), RFC 4291, RFC 6052. The
table is written out because `ipaddress.is_global` differs between Python's patch releases.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_REFUSED_V4 = {
    ipaddress.IPv4Network(network): why
    for network, why in {
        "0.0.0.0/8": "unspecified",
        "10.0.0.0/8": "private",
        "100.64.0.0/10": "shared by a carrier's customers",
        "127.0.0.0/8": "loopback",
        "169.254.0.0/16": "link-local",
        "172.16.0.0/12": "private",
        "192.0.0.0/24": "reserved",
        "192.0.2.0/24": "documentation",
        "192.88.99.0/24": "a relay",
        "192.168.0.0/16": "private",
        "198.18.0.0/15": "benchmarking",
        "198.51.100.0/24": "documentation",
        "203.0.113.0/24": "documentation",
        "224.0.0.0/4": "multicast",
        "240.0.0.0/4": "reserved",
    }.items()
}
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = {
    ipaddress.IPv6Network(network): why
    for network, why in {
        "2001::/23": "reserved",  # Teredo, ORCHID, benchmarking and other protocols' own
        "2001:db8::/32": "documentation",
        "2002::/16": "6to4",
        "3fff::/20": "documentation",
    }.items()
}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOW_V6 = {ipaddress.IPv6Address("::"): "unspecified", ipaddress.IPv6Address("::1"): "loopback"}


def why_refused(address: Address) -> str:
    """What makes the address no public one, in a word or two; "" for a public one."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((why for network, why in _REFUSED_V4.items() if address in network), "")
    if address.scope_id is not None:
        return "link-local"
    embedded = address.ipv4_mapped
    if embedded is None and address in _NAT64:
        embedded = ipaddress.IPv4Address(address.packed[-4:])
    if embedded is not None:
        return why_refused(embedded)
    if address not in _GLOBAL_V6:
        return _LOW_V6.get(address, "not globally reachable")
    return next((why for network, why in _REFUSED_V6.items() if address in network), "")
