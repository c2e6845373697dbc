"""Fixtures: one stub and one gateway of each configuration for the whole run."""

from __future__ import annotations

import os

# What users have set must not decide where these clients connect.
for name in list(os.environ):
    if name.startswith(("OPENAI_", "ANTHROPIC_")) or name.lower().endswith("_proxy"):
        del os.environ[name]

import anthropic  # noqa: E402
import openai  # noqa: E402
import pytest  # noqa: E402

from harness import KEY, Gateway, Stub  # noqa: E402


def pytest_report_header() -> str:
    return f"clients: openai {openai.__version__}, anthropic {anthropic.__version__}"


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


@pytest.fixture(scope="session")
def callers_gateway(provider):
    gateway = Gateway("callers.toml", provider)
    yield gateway
    gateway.stop()


@pytest.fixture(scope="session")
def limited_gateway(provider):
    gateway = Gateway("limited.toml", provider)
    yield gateway
    gateway.stop()


@pytest.fixture(scope="session")
def oai(gateway):
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=15)


@pytest.fixture(scope="session")
def ant(gateway):
    return anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0, timeout=15)
