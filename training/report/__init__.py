"""``train report``: one page of HTML about a run, for people to read."""
