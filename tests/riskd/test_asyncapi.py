"""The AsyncAPI document says where every message travels, as riskd really sends it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from riskd import messages
from riskd.reference.asyncapi import REQUESTS, render_asyncapi, topics_of
from riskd.reference.catalogue import types_of
from tests.builders import StampedCore
from tests.engine.random_inputs import Inputs

DOCUMENT: dict[str, Any] = json.loads(render_asyncapi())


def references(shown: Any) -> Iterator[str]:
    if isinstance(shown, dict):
        if isinstance(shown.get("$ref"), str):
            yield shown["$ref"]
        for inside in shown.values():
            yield from references(inside)
    elif isinstance(shown, list):
        for inside in shown:
            yield from references(inside)


def at(pointer: str) -> Any:
    found = DOCUMENT
    for part in pointer.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def test_every_reference_leads_somewhere_and_no_schema_is_of_another_dialect():
    assert all(at(pointer) for pointer in references(DOCUMENT))
    assert "prefixItems" not in render_asyncapi()  # Its schemas are those of JSON Schema draft 7.


@pytest.mark.parametrize("port", REQUESTS)
def test_every_request_is_answered_by_what_its_text_says_or_an_error(port: str):
    for request in REQUESTS[port]:
        operation = DOCUMENT["operations"][f"{port}.{request.__name__}"]
        answers = [at(at(x["$ref"])["$ref"])["name"] for x in operation["reply"]["messages"]]
        assert (operation["action"], answers[-1]) == ("receive", "error")
        named = re.findall("answered by (?:exactly )?(?:one )?`([a-z_]+)`", request.__doc__ or "")
        assert named in ([], [answers[0]])


def test_channel_of_a_topic_has_the_parameters_of_its_address():
    channel = DOCUMENT["channels"]["position.<account>.<symbol>"]
    assert channel["address"] == "position.{account}.{symbol}"
    assert list(channel["parameters"]) == ["account", "symbol"]
    assert channel["servers"] == [{"$ref": "#/servers/alerts"}]


def test_what_is_published_is_of_a_channel_that_carries_it():
    house = StampedCore()
    for message, stamp in Inputs(3).draw(900):
        house.send_at(message, stamp)
    patterns = {
        re.compile(re.sub(r"<[^>]+>", ".+", topic.replace(".", r"\."))): published
        for published in types_of(messages.Published)
        for topic in topics_of(published)
    }
    seen = {type(told.message) for told in house.published}
    assert {messages.Alert, messages.Breaker, messages.LimitsUpdate} <= seen
    for told in house.published:
        carried = {kind for pattern, kind in patterns.items() if pattern.fullmatch(told.topic)}
        assert type(told.message) in carried, told.topic
