"""What stands round every page: the header with its menu, and the tabs of a project."""

import contextlib
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from nicegui import ui

from edgeloop.loop.ui.widgets import Link, Text, block
from edgeloop.protocol import routes

_MENU = {"Projects": "/", "Nodes": "/nodes"}
_LOG_OUT = f"""async () => {{
  await fetch("{routes.LOGOUT}", {{ method: "POST" }});
  location.assign("/login");
}}"""


def project_path(organization: str, name: str, place: str = "") -> str:
    """Where a project's page is; ``place`` is below it."""
    path = f"/projects/{quote(organization, safe='')}/{quote(name, safe='')}"
    return f"{path}/{place}" if place else path


@contextlib.contextmanager
def framed(username: str, *, path: str) -> Iterator[ui.element]:
    """A page with a header for someone; yields what holds the content."""
    ui.query(".nicegui-content").classes("el-page")
    with block("el-header", tag="header"):
        with Link("/", classes="el-logo").put(aria_label="edgeloop: the projects"):
            block("el-loop", tag="i")
            Text("edgeloop")
        with block("el-menu", tag="nav"):
            for name, target in _MENU.items():
                Link(target, name, _current(is_here=_is_below(path, target)))
        block("el-grow")
        if username:
            Text(username, "el-muted el-wide-only")
            log_out = Text("Log out", "el-button el-quiet", tag="button").put(type="button")
            log_out.on("click", js_handler=_LOG_OUT)
    with block("el-content", tag="main") as content:
        yield content


def project_title(
    organization: str, name: str, *, place: str, figures: Mapping[str, int | None]
) -> None:
    """The name of a project and the tabs of its pages; ``figures`` stand beside their names."""
    ui.page_title(f"{organization}/{name} · edgeloop")
    with block("el-title"):
        with Text("", tag="h1"):
            Text(f"{organization} / ", "el-muted")
            Text(name)
        with block("el-tabs", tag="nav"):
            for tab, number in figures.items():
                below = "" if tab == "Images" else tab.lower()
                with Link(
                    project_path(organization, name, below),
                    classes=_current(is_here=tab == place),
                ):
                    Text(tab)
                    if number is not None:
                        Text(str(number), "el-count")


def _is_below(path: str, target: str) -> bool:
    return path.startswith("/projects") or path == "/" if target == "/" else path == target


def _current(*, is_here: bool) -> str:
    return "el-current" if is_here else ""
