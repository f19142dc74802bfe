"""Shipped to plugin authors: servers, fixtures, conformance suites."""
