"""The catalogs are complete, and compiled: what the sources ask to translate is looked for without gettext's tools."""

import ast
import re
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.template import engines
from django.template.base import Node, VariableNode
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

ROOT = settings.BASE_DIR
FUNCTIONS = {  # what each argument of each function is
    "_": ("msgid",),
    "gettext": ("msgid",),
    "gettext_lazy": ("msgid",),
    "gettext_noop": ("msgid",),
    "ngettext": ("msgid", "plural"),
    "ngettext_lazy": ("msgid", "plural"),
    "pgettext": ("context", "msgid"),
    "pgettext_lazy": ("context", "msgid"),
    "npgettext": ("context", "msgid", "plural"),
}
LANGUAGES = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def in_python(path: Path):
    """Give (context, msgid, plural) of each call that translates a literal."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            if name in FUNCTIONS and len(texts) >= len(FUNCTIONS[name]):
                found = dict(zip(FUNCTIONS[name], texts, strict=False))
                yield found.get("context"), found["msgid"], found.get("plural", "")


def in_template(path: Path):
    """Give the same of a template's tags."""
    for node in engines["django"].from_string(path.read_text()).template.nodelist.get_nodes_by_type(Node):
        if isinstance(node, TranslateNode) and isinstance(node.filter_expression.var, str):
            yield context_of(node), node.filter_expression.var, ""
        elif isinstance(node, TranslateNode):
            yield context_of(node), node.filter_expression.var.literal, ""
        elif isinstance(node, BlockTranslateNode):
            singular, _ = node.render_token_list(node.singular)
            plural, _ = node.render_token_list(node.plural) if node.plural else ("", [])
            yield context_of(node), singular, plural
        elif isinstance(node, VariableNode) and getattr(node.filter_expression.var, "translate", False):
            yield None, node.filter_expression.var.literal, ""


def context_of(node):
    return node.message_context and node.message_context.resolve({})


def sources():
    for path in sorted((ROOT / "tickets").rglob("*.py")):
        if "migrations" not in path.parts:
            yield from in_python(path)
    for path in sorted((ROOT / "templates").rglob("*")):
        if path.suffix in (".html", ".txt", ".svg"):
            yield from in_template(path)


def catalog(language) -> polib.POFile:
    return polib.pofile(ROOT / "locale" / language / "LC_MESSAGES/django.po")


def key(entry):
    return entry.msgctxt, entry.msgid, entry.msgid_plural or ""


def translations(entry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_that_the_sources_ask_for_is_translated_and_nothing_else(language):
    asked = set(sources())
    assert len(asked) > 100
    entries = {key(entry): entry for entry in catalog(language)}
    missing = {found for found in asked if found not in entries or not all(translations(entries[found]))}
    assert missing == set()
    assert entries.keys() - asked == set()
    assert [entry.msgid for entry in catalog(language) if entry.fuzzy or entry.obsolete] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_its_texts_placeholders_and_spaces(language):
    def parts(text):
        return (
            sorted(re.findall(r"%\(\w+\)[.\d]*[sdf]|%%|\{\w+\}|</?\w+[^>]*>", text)),
            text.count("\n"),
            text != text.strip(),
        )

    wrong = [
        (entry.msgid, text)
        for entry in catalog(language)
        for text in translations(entry)
        if parts(text) not in (parts(entry.msgid), parts(entry.msgid_plural or entry.msgid))
    ]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalog_is_that_of_the_text(language):
    """It is committed, so that no machine that runs the shop needs gettext."""
    compiled = polib.mofile(ROOT / "locale" / language / "LC_MESSAGES/django.mo")
    assert {key(entry): translations(entry) for entry in compiled} == {
        key(entry): translations(entry) for entry in catalog(language)
    }
