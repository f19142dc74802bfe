"""Who a process is among the others, and what that lets it do on the bus.

grants.py        what a role may do, from what its plugins declare
credentials.py   the certificate a role shows, and the file with its keys
issuing.py       the installation's identity key: makes credentials, and is rotated
seals.py         how a message is sealed and how a seal is checked
signed.py        a bus that seals what it sends and believes nothing else
nats_config.py   the same grants as a nats-server's own permissions
"""
