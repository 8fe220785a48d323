"""What the integration tests share: one real Label Studio."""

import pytest

from annotation.server import start_server


@pytest.fixture(scope="session", autouse=True)
def _not_the_users_database():
    """``start_server`` passes these on, and the tests must never write to a database that somebody uses."""
    with pytest.MonkeyPatch.context() as patch:
        for prefix in ("", "LABEL_STUDIO_", "HEARTEX_"):
            patch.delenv(f"{prefix}DJANGO_DB", raising=False)
        yield


@pytest.fixture(scope="session")
def label_studio(_not_the_users_database, tmp_path_factory):
    """A running ``Server`` with fresh data; one for all tests, because the first start takes 40 s: make projects of your own."""
    with start_server(tmp_path_factory.mktemp("label-studio") / "data", port=None) as server:
        yield server
