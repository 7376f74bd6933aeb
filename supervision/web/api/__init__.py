"""The JSON API under /api/v1; one table of operations makes the routes and the OpenAPI document."""
