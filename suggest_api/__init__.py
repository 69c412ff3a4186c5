"""The one web service (JSON API, webhooks, console) and its worker."""
