"""Label Studio: its server, its client, and what is pushed to and pulled from it."""
