"""How good a model is, category by category, and what it takes for what."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgeloop.errors import Conflict
from edgeloop.evaluation import CategoryScore, Evaluation
from edgeloop.loop.services import figures
from edgeloop.loop.services.models import Model
from edgeloop.loop.ui.pictures import safe_color
from edgeloop.loop.ui.visits import Visit
from edgeloop.loop.ui.widgets import Table, Text, block, figure, notice, panel, swatch
from edgeloop.types import Category, CategoryCounts

_UNSCORED = CategoryScore(None, None)
_UNCOUNTED = CategoryCounts()


def scores(visit: Visit, model: Model, categories: Sequence[Category]) -> None:
    """The loop's own figures of a model on the test images; until then its trainer's counts."""
    record = model.row
    with block("el-stack") as place:
        reported = {id_: _read(counts) for id_, counts in record.counts.items()}
        with panel(f"Model {record.version}", aside="computing its figures on the test images …"):
            _table(categories, reported, {})

    async def compute(visit: Visit) -> None:
        workspaces = visit.front.workspaces
        try:
            found = await figures.evaluation(workspaces, visit.caller, model_id=record.id)
        except Conflict as error:
            place.clear()
            with place, panel(f"Model {record.version}", aside="as its trainer reported"):
                notice(str(error))
                _table(categories, reported, {})
        else:
            place.clear()
            with place:
                _show(record.version or "", found, categories)

    visit.soon(compute)


def _read(counts: Mapping[str, Any]) -> CategoryCounts:
    return CategoryCounts(*(int(counts.get(name) or 0) for name in ("tp", "fp", "fn")))


def _show(version: str, found: Evaluation, categories: Sequence[Category]) -> None:
    aside = (
        f"{found.images} test images · mAP50 {figure(found.map50, 3)} · "
        f"mAP50:95 {figure(found.map50_95, 3)}"
    )
    with panel(f"Model {version}", aside=aside):
        _table(categories, found.counts, found.per_category)
        Text(f"Counted from a confidence of {found.confidence:.2f} on.", "el-muted", tag="p")
    with panel("What is taken for what", aside="rows: what is there, columns: what was seen"):
        _confusion(found.confusion, categories)


def _table(
    categories: Sequence[Category],
    counts: Mapping[str, CategoryCounts],
    by_category: Mapping[str, CategoryScore],
) -> None:
    table = Table("Category", "AP50", "AP50:95", "Precision", "Recall", "Right", "Wrong", "Missed")
    for category in categories:
        score = by_category.get(category.id, _UNSCORED)
        count = counts.get(category.id, _UNCOUNTED)
        with table.row() as row:
            with row.cell("el-named"):
                swatch(safe_color(category.color))
                Text(category.name)
            row.number(score.ap50, 3).classes("el-strong")
            row.number(score.ap50_95, 3)
            row.number(_share(count.tp, count.fp), 2)
            row.number(_share(count.tp, count.fn), 2)
            for number in (count.tp, count.fp, count.fn):
                row.number(number)


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None


def _confusion(rows: Sequence[Sequence[int]], categories: Sequence[Category]) -> None:
    """A matrix whose cells are the darker the bigger their share of the row."""
    names = [category.name for category in categories]
    with block("el-scroll"), block("el-confusion", tag="table"):
        with block(tag="thead"), block(tag="tr"):
            for name in ("", *names, "missed"):
                Text(name, tag="th")
        with block(tag="tbody"):
            for index, (name, row) in enumerate(zip((*names, "nothing"), rows, strict=True)):
                with block(tag="tr"):
                    Text(name, tag="th")
                    for column, number in enumerate(row):
                        _confusion_cell(number, total=sum(row), is_right=index == column)


def _confusion_cell(number: int, *, total: int, is_right: bool) -> None:
    share = number / total if total else 0.0
    kind = "el-right" if is_right else "el-wrong"
    cell = Text(str(number) if number else "", kind, tag="td")
    cell.style(f"--share:{share:.3f}")
