"""The sample person as a puppet, made once a process: that takes a second or two, and nothing changes a puppet."""

from __future__ import annotations

from functools import cache

from renzheng.evaluation.performance import Performance
from renzheng.evaluation.puppet import Puppet
from tests.support.images import sample_picture


@cache
def sample_puppet() -> Puppet:
    puppet = Puppet(sample_picture())
    Performance(puppet)  # measures how far it has to turn, which takes a second; the puppet keeps that
    return puppet
