"""The assistant as the service sees it: one customer turn in, approved answers or a hand-over out."""
