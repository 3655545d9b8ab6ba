"""Variables and the initial state in strings."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.manifest.grant_types import GRANT_TYPES
from theater.manifest import ManifestError, parse

HEAD = 'name = "a"\ncomponent = "a.wasm"\n'


def description(text: str, state: object = None, **variables: str) -> str | None:
    manifest = parse(
        f"{HEAD}description = {text}\n", grant_types=GRANT_TYPES, variables=variables, state=state
    )
    return manifest.description


def problem_lines(text: str, **given_: object) -> list[int]:
    with pytest.raises(ManifestError) as raised:
        parse(HEAD + text, grant_types=GRANT_TYPES, **{"variables": {}, **given_})  # type: ignore[arg-type]
    return [problem.line for problem in raised.value.problems]


def test_variables_and_defaults_are_put_into_strings():
    assert description('"${A}/${B:-b}/${C:-}."', A="x") == "x/b/."
    assert description("'''${A}'''", A='q"\\\n') == 'q"\\\n'


def test_what_is_put_in_is_not_looked_at_again():
    manifest = parse(
        HEAD + 'description = "${A}"', grant_types=GRANT_TYPES, variables={"A": "${B} {{c}}"}
    )
    assert manifest.description == "${B} {{c}}"
    assert parse(manifest.text, grant_types=GRANT_TYPES).description == "${B} {{c}}"


def test_keys_and_comments_are_left_alone():
    text = HEAD + 'initial_state = { "${K}" = 1 } # ${L}\n'
    assert parse(text, grant_types=GRANT_TYPES, variables={}).initial_state == b'{"${K}": 1}'


def test_an_unset_variable_is_a_problem_at_its_string():
    assert problem_lines('description = "${NOPE}"\nversion = "${NO}"\n') == [3, 4]
    assert problem_lines('description = "${1x}"\n') == [3]


def test_a_variable_whose_value_is_a_secret_is_not_put_in():
    secret = "sk-0123456789"
    for value in (secret, f"https://x/?key={secret}"):
        lines = problem_lines(
            'description = "${KEY}"\n', variables={"KEY": value}, secrets=[secret]
        )
        assert lines == [3]


def test_bytes_that_are_not_text_are_not_put_in():
    assert problem_lines('description = "${A}"\n', variables={"A": "\udcff"}) == [3]


def test_handlebars_take_values_from_the_initial_state():
    state = {"app": {"name": "x", "ports": [80, 81]}, "on": True}
    assert description('"{{app.name}}:{{ app.ports.1 }} {{on}}"', state) == "x:81 true"
    assert description('"{{default app.none \'d\'}}{{default app.name \\"e\\"}}"', state) == "dx"
    assert problem_lines('description = "{{app}}{{no}}"\n', state=state) == [3, 3]
    assert problem_lines('description = "{{#if x}}"\n') == [3]


def test_handlebars_take_values_from_an_inline_state():
    text = HEAD + 'description = "{{a.b}}"\n[initial_state]\na.b = "c"\n'
    assert parse(text, grant_types=GRANT_TYPES, variables={}).description == "c"


def test_without_variables_a_text_is_taken_as_it_stands():
    assert parse(HEAD + 'description = "${A}"', grant_types=GRANT_TYPES).description == "${A}"


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(value=_TEXT, quote=st.sampled_from(['"', "'", '"""', "'''"]))
def test_the_text_after_substitution_reads_as_the_manifest(value: str, quote: str):
    text = f"{HEAD}# ü\ndescription = {quote}<${{V}}>{quote}\n[[handler]]\ntype='store'\n"
    manifest = parse(text, grant_types=GRANT_TYPES, variables={"V": value})
    assert manifest.description == f"<{value}>"
    assert tomllib.loads(manifest.text)["description"] == f"<{value}>"
    assert parse(manifest.text, grant_types=GRANT_TYPES).grants == manifest.grants
