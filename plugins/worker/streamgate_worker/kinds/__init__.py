"""Kinds of job that worker itself offers, beside webhooks."""
