"""The StreamGate kernel: finds plugins, connects them, runs them. It knows no service by name."""

__version__ = "0.1.0"
