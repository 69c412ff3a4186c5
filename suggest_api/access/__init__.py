"""Who may do what: people who sign in, their sessions, and the keys of programs."""
