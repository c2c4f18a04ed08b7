"""README's table of modules has a row for each, and none for what is gone."""

import re

from django.conf import settings


def test_each_module_has_its_place_in_the_table():
    readme = (settings.BASE_DIR / "README.md").read_text()
    table = readme.partition("| module | subject |")[2].partition("\n\n")[0]
    modules = {path.stem for path in (settings.BASE_DIR / "tickets").glob("*.py")}
    assert set(re.findall(r"`(?:tickets/)?(\w+)\.py`", table)) == modules - {"__init__", "apps", "urls"}
