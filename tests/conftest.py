"""One numerical thread for each test process, the same hypothesis examples in every run, and what
several test files share: which of them run in one process, and one finished job."""

import gc
import os
from collections import Counter, defaultdict

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# A run is repeatable; explore with `--hypothesis-profile=explore`.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("explore", max_examples=1000)
settings.load_profile("repeatable")

TOGETHER = (
    *("test_theory", "test_printing", "test_latex_bundle", "test_bounds_json", "test_registry"),
    *("test_typography", "test_translation", "test_export_languages", "test_verification"),
    *("test_article_order", "test_bound_looseness", "test_notation", "test_trials"),
    *("test_formal", "test_rocq_lemmas"),
)
"""Test files, by the beginning of their names, that reuse theorems which a process has checked."""

SLOW_FIXTURES = {"bundle", "finished_job", "trained_networks"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """The files of `TOGETHER` run in one process, the others each in any."""
    from xdist.scheduler import LoadFileScheduling

    class TogetherScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::", 1)[0]
            name = file.rsplit("/", 1)[-1]
            return "together" if name.startswith(TOGETHER) else file

    return TogetherScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is loaded stays: the garbage collector need not go through it again and again."""
    gc.disable()
    found = yield
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Slow are also what needs a fixture that takes long, and most cases of a long table."""
    cases = defaultdict(list)
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("quick"):
            cases[item.nodeid.split("[", 1)[0]].append(item)
    for found in cases.values():
        (count,) = found[0].get_closest_marker("quick").args
        kept = {k * len(found) // count for k in range(count)}
        for place, item in enumerate(found):
            if place not in kept:
                item.add_marker(pytest.mark.slow)
    _longest_first(items)


def _longest_first(items):
    """Files that are mostly slow come first, so that no process waits for one at the end."""
    every = Counter(item.path for item in items)
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))

    def rank(item):
        return not item.path.name.startswith(TOGETHER), -slow[item.path] / every[item.path]

    items.sort(key=rank)


@pytest.fixture(scope="session")
def finished_job(tmp_path_factory):
    """A small finished job: its folder, its result, and what it told of its progress."""
    from tests.verified import small_job

    folder, told = tmp_path_factory.mktemp("report"), []
    result = small_job(folder, progress=lambda *event: told.append(event))
    return folder, result, told
