"""docs/openapi.json is what client authors generate from; it must say what is served.

When the API changes on purpose, write it anew with
``python -m router.server.openapi docs/openapi.json`` and review the difference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from router.engine import Engine
from router.server.app import litestar_app
from router.server.openapi import build_document

SNAPSHOT = Path(__file__).parents[3] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document():
    # The handlers close over the engine and touch it only when called.
    return json.loads(json.dumps(build_document(litestar_app(cast("Engine", None)))))


def test_the_snapshot_is_what_is_served(document):
    assert json.loads(SNAPSHOT.read_text(encoding="utf-8")) == document


def test_the_document_is_valid(document):
    OpenAPIV31SpecValidator(document).validate()


def test_every_operation_answers_problems_and_says_whether_a_token_is_needed(document):
    for path, methods in document["paths"].items():
        for operation in methods.values():
            content = operation["responses"]["default"]["content"]
            assert list(content) == ["application/problem+json"]
            assert (operation.get("security") == []) == (not path.startswith("/v1/"))


def test_references_all_lead_somewhere(document):
    text = json.dumps(document)
    for part in text.split('"$ref": "')[1:]:
        name = part.split('"')[0].removeprefix("#/components/schemas/")
        assert name in document["components"]["schemas"]


def test_unknown_fields_are_declared_forbidden(document):
    assert document["components"]["schemas"]["Envelope"]["additionalProperties"] is False
