"""The users of a Label Studio server, by the names that annotation files have for them."""

from __future__ import annotations

import re
from functools import cached_property
from hashlib import sha256

from .connection import Connection
from .records import User

_OWN_DOMAIN = "annotators.invalid"


class Annotators:
    """The users of a server.

    Args:
        connection: the server.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def names(self) -> dict[int, str]:
        """Names of the users by id: their e-mail addresses; users that newsmark made are called as their annotations say."""
        users = self._connection.sdk.users.list()
        return {int(user.id): str((str(user.email).endswith(f"@{_OWN_DOMAIN}") and user.first_name) or user.email) for user in users}

    def name_of(self, user: User) -> str | None:
        """Name of a user as a task names him; None where he was deleted and the task has no e-mail address of his."""
        return self.names.get(user.id, user.email) if user.id is not None else user.email

    def id_of(self, name: str) -> int:
        """Find the user of an annotator, or make one that nobody can log in as.

        Such a user has an e-mail address under the reserved domain ``.invalid``, and the annotator's exact name as first name.
        """
        known = {annotator: user for user, annotator in self.names.items()}
        if name not in known:
            username = f"{re.sub(r'[^a-z0-9]+', '-', name.lower())[:40]}-{sha256(name.encode()).hexdigest()[:8]}"  # "Bo" and "bo" are two
            users, options = self._connection.sdk.users, self._connection.options
            user = users.create(email=f"{username}@{_OWN_DOMAIN}", username=username, first_name=name, request_options=options)
            self.names[int(user.id)] = name
            return int(user.id)
        return known[name]
