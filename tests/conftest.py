"""Fixtures that run over the registry."""

import pytest

from fastloss import registry

LOSSES = [cls(**parameters) for cls in registry.values() for parameters in ({}, *cls.variants)]


@pytest.fixture(params=LOSSES, ids=repr)
def loss(request):
    return request.param
