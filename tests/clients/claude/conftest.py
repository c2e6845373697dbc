"""Fixtures: one stub and one gateway for the whole run, and a client with a home of its own."""

from __future__ import annotations

import pytest

from client import Client, version
from harness import Gateway, Stub


def pytest_report_header() -> str:
    return f"clients: {version()}"


@pytest.fixture(scope="session")
def provider():
    stub = Stub()
    yield stub
    stub.stop()


@pytest.fixture
def stub(provider):
    """The provider with nothing seen yet."""
    provider.reset()
    return provider


@pytest.fixture(scope="session")
def gateway(provider):
    gateway = Gateway("gateway.toml", provider)
    yield gateway
    gateway.stop()


@pytest.fixture
def client(gateway, tmp_path):
    return Client(gateway, tmp_path)
