"""A manifest is pinned by an edit of its text that changes nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theater.build import pin
from theater.errors import BuildError

SHA = "ab" * 32
WASM = "build/actor.wasm"


def edited(text: str) -> str:
    return pin.edit(dedent(text), WASM, SHA, Path("manifest.toml"))


def test_missing_lines_come_behind_name_and_version() -> None:
    before = 'name = "actor" # mine\nversion = "1"\n\n[[handler]]\ntype = "store"\n'
    assert edited(before) == (
        f'name = "actor" # mine\nversion = "1"\ncomponent = "{WASM}"\ncomponent_sha256 = "{SHA}"\n\n'
        '[[handler]]\ntype = "store"\n'
    )


def test_present_lines_keep_their_place_comments_and_spelling() -> None:
    before = """\
        # An actor
        name = "actor"
          component_path   = 'old.wasm' # where it is
        component_sha256="00" # what it is
        request_timeout_ms = 5
        [limits]
        mailbox = 3
    """
    after = edited(before)
    assert after == dedent(before).replace("'old.wasm'", f'"{WASM}"').replace('"00"', f'"{SHA}"')


def test_what_is_pinned_already_stays_as_it_is_to_the_byte() -> None:
    once = edited('name = "actor"\r\n')
    assert pin.edit(once, WASM, SHA, Path("m")) == once


def test_a_table_of_the_same_name_further_down_is_not_touched() -> None:
    before = 'name = "a"\n[initial_state]\ncomponent = "other"\ncomponent_sha256 = "x"\n'
    state = tomllib.loads(edited(before))["initial_state"]
    assert state == {"component": "other", "component_sha256": "x"}


@pytest.mark.parametrize(
    "text",
    [
        'name = "a"\ncomponent = """\nold.wasm"""\n',
        'description = """\nname = "a"\n"""\nname = """a"""\nlist = [\n[1],\n]\ncomponent = "x"\n',
        '"name" = "a"\n"component" = "x"\n',
    ],
)
def test_a_manifest_that_cannot_be_edited_is_left_with_the_lines_to_write(text: str) -> None:
    with pytest.raises(BuildError) as error:
        edited(text)
    assert f'component_sha256 = "{SHA}"' in str(error.value)


plain = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\"\\'"))


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["description", "save_chain_to", "poison", "errors"]), unique=True),
    st.lists(plain, min_size=6, max_size=6),
    st.booleans(),
)
def test_every_other_key_keeps_its_value(keys: list[str], values: list[str], table: bool) -> None:
    text = f'name = "{values[0]}" # {values[1]}\n'
    text += "".join(f'{key} = "{value}"\n' for key, value in zip(keys, values[2:], strict=False))
    if table:
        text += f'\n[initial_state]\nname = "{values[5]}"\n'
    after = edited(text)
    assert tomllib.loads(after) == {
        **tomllib.loads(text),
        "component": WASM,
        "component_sha256": SHA,
    }
    assert edited(after) == after
