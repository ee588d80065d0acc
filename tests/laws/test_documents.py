"""The reference documents are current, and every message has an example that survives the wire."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from engine.checks import CHECKS
from riskd import codec, messages
from riskd.codes import CODES, RejectCode
from riskd.examples import EXAMPLES, example_of
from riskd.reference.catalogue import SECTIONS, message_types, part_types, unlisted_types
from riskd.reference.comments import comments_in, field_comments
from riskd.reference.glossary import GLOSSARY, field_meanings
from riskd.reference.prose import ERROR_MEANINGS
from riskd.reference.schema import render_schema
from riskd.reference.words import word_type
from scripts.documents.__main__ import main
from scripts.documents.check_examples import EXAMPLES as CHECK_EXAMPLES
from scripts.documents.check_examples import finding_of
from scripts.documents.files import DOCUMENTS, compare_documents, write_documents
from tests.laws.tree import ROOT, require_none

CODECS: dict[Any, codec.Codec[Any]] = {
    messages.OrdersRequest: codec.orders_codec,
    messages.OrdersAnswer: codec.answers_codec,
    messages.TicksMessage: codec.ticks_codec,
    messages.Published: codec.published_codec,
    messages.ControlMessage: codec.control_codec,
    messages.ControlAnswer: codec.control_answers_codec,
    messages.InternalMessage: codec.internal_codec,
}


# Told by their types: an enumeration's docstring, a unit, another struct.
DECLARED = {
    "side",
    "status",
    "kind",
    "order_type",
    "time_in_force",
    "cost_method",
    "margin_model",
    "position_mode",
    "response_mode",
}


def codecs_of(message: messages.Message) -> list[codec.Codec[Any]]:
    """Every codec whose port takes this message."""
    return [found for union, found in CODECS.items() if isinstance(message, union)]


def test_documents_in_the_tree_are_current():
    found = compare_documents(ROOT / "docs")
    require_none(found)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_changed_by_hand_are_found(tmp_path, name):
    write_documents(tmp_path)
    assert compare_documents(tmp_path) == []
    path = tmp_path / name
    path.write_text(path.read_text() + "one more line\n")
    (summary,) = compare_documents(tmp_path)
    assert f"{name} is not current: 1 lines to go, 0 to come" in summary
    assert "-one more line" in summary
    path.unlink()
    assert "is missing. Run scripts/generate." in compare_documents(tmp_path)[0]


def test_generate_check_fails_until_documents_are_written(tmp_path, capsys):
    assert main(["--docs", str(tmp_path), "--check"]) == 1
    assert "protocol.md is missing. Run scripts/generate." in capsys.readouterr().err
    assert main(["--docs", str(tmp_path)]) == 0
    assert main(["--docs", str(tmp_path), "--check"]) == 0


def test_documents_rendered_twice_are_equal():
    assert [render() for render in DOCUMENTS.values()] == [x() for x in DOCUMENTS.values()]


def test_messages_are_each_in_a_section():
    names = unlisted_types(vars(messages).values())
    assert not names, (
        f"{', '.join(names)}: in no union of its port, so no port takes it and the page does not "
        "show it. Add it to the union at the end of its file in riskd/contract."
    )


def test_message_in_no_section_is_found():
    class Stray(messages.Message, frozen=True, kw_only=True, tag="stray"):
        """In no union."""

    assert unlisted_types([Stray, messages.Check, messages.Message, int]) == ["Stray"]


@pytest.mark.parametrize("struct", message_types(), ids=lambda struct: struct.__name__)
def test_message_has_one_example_and_a_docstring(struct):
    assert type(example_of(struct)) is struct
    assert sum(type(example) is struct for example in EXAMPLES) == 1
    assert struct.__doc__, f"{struct.__name__} has no docstring: the page has nothing to say of it."


@pytest.mark.parametrize(
    "struct", [*message_types(), *part_types()], ids=lambda struct: struct.__name__
)
def test_fields_each_have_a_meaning(struct):
    nameless = sorted(set(struct.__struct_fields__) - set(field_meanings(struct)) - DECLARED)
    assert not nameless, (
        f"{struct.__name__}: nothing says what {', '.join(nameless)} means. Write a comment beside "
        "the field, or, for a name of many messages, a line in riskd/reference/glossary.py."
    )


def test_glossary_has_no_line_that_no_field_needs():
    fields = {
        name
        for struct in (*message_types(), *part_types())
        for field in set(struct.__struct_fields__) - set(field_comments(struct))
        for name in (field, f"{struct.__name__}.{field}")
    }
    assert not set(GLOSSARY) - fields


def test_message_without_example_is_named_with_what_to_do():
    with pytest.raises(
        LookupError, match=r"messages\.Message has no example\. Add one to riskd/ex"
    ):
        example_of(type("Message", (messages.Message,), {"__module__": "riskd.messages"}))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
@pytest.mark.parametrize("encode", [codec.encode_json, codec.encode_msgpack])
def test_example_survives_every_codec_of_its_ports(example, encode):
    takers = codecs_of(example)
    assert takers, f"No codec takes {type(example).__name__}."
    for taker in takers:
        assert taker.decode(encode(example)) == example


def test_checks_each_have_an_example_and_no_example_is_left_over():
    assert set(CHECK_EXAMPLES) == {row.check.__name__ for row in CHECKS}


def test_check_without_an_example_or_with_one_of_another_code_is_named():
    with pytest.raises(LookupError, match="check_new has no example: add one to scripts/doc"):
        finding_of("check_new", "NEW")
    with pytest.raises(LookupError, match="the example of check_killed is not refused by it"):
        finding_of("check_killed", "MARGIN")


def test_example_with_unknown_field_is_refused():
    payload = json.loads(codec.encode_json(example_of(messages.Check))) | {"colour": "red"}
    with pytest.raises(msgspec.ValidationError, match="unknown field `colour`"):
        codec.orders_codec.decode(json.dumps(payload).encode())


def test_reject_codes_and_error_codes_are_all_explained():
    assert list(CODES) == list(RejectCode)
    assert set(ERROR_MEANINGS) == set(get_args(messages.ErrorCode))


def test_schema_defines_every_type_and_every_reference():
    schema = json.loads(render_schema())
    for struct in (*message_types(), *part_types()):
        assert struct.__name__ in schema["$defs"]
    text = json.dumps(schema)
    references = {part.partition('"')[0] for part in text.split("#/$defs/")[1:]}
    assert references <= set(schema["$defs"])
    assert {section.title for section in SECTIONS} <= set(schema["$defs"])
    assert schema["$defs"]["Check"]["properties"]["type"] == {"enum": ["check"]}
    quantity = schema["$defs"]["Check"]["properties"]["quantity"]
    assert quantity["description"] == field_comments(messages.Check)["quantity"]


def test_comment_beside_and_above_a_field_becomes_its_meaning():
    source = (
        "class A:\n"
        "    plain: int\n"
        "    beside: int = 1  # Counted from zero.\n"
        "    # Above, on\n"
        "    # two lines.\n"
        "    above: int\n"
        "    wrapped: dict[\n"
        "        str, int\n"
        "    ] = {}  # After the end.\n"
        '    text: str = "# no comment"\n'
    )
    assert comments_in(source) == {
        "A": {
            "beside": "Counted from zero.",
            "above": "Above, on two lines.",
            "wrapped": "After the end.",
        }
    }


@pytest.mark.parametrize(
    ("field", "kind", "bounds"),
    [
        ("account", "text", "1 to 64 characters"),
        ("side", "`buy` or `sell`", ""),
        ("quantity", "number", ""),
        ("price", "number or `null`", ""),
        ("deadline_ns", "integer or `null`", ">= 0, <= 2^63 - 1"),
        ("dry_run", "`true` or `false`", ""),
    ],
)
def test_type_in_words_says_kind_and_bounds(field, kind, bounds):
    info = msgspec.inspect.type_info(messages.Check)
    assert isinstance(info, msgspec.inspect.StructType)
    fields = {x.name: x.type for x in info.fields}
    assert word_type(fields[field])[:2] == (kind, bounds)
