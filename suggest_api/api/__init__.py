"""The JSON API: routes, guards, and the wire models at the edge."""
