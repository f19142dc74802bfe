"""OpenAPI 3.1 from the typed routes."""

from streamgate.web.openapi.document import Description, Problem, describe, operation_id

__all__ = ["Description", "Problem", "describe", "operation_id"]
