"""The page to log in."""

from nicegui import ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edgeloop.loop.ui.visits import visit_of
from edgeloop.loop.ui.widgets import Text, block
from edgeloop.protocol import routes

_NO_ANSWER = "The loop does not answer: wait a moment and try again."
_SUBMIT = f"""async (event) => {{
  event.preventDefault();
  const form = event.target;
  const fault = form.querySelector(".el-fault");
  fault.textContent = "";
  try {{
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch("{routes.LOGIN}", {{ method: "POST", body }});
    if (answer.ok) location.assign(form.dataset.next);
    else fault.textContent = (await answer.json()).detail;
  }} catch {{
    fault.textContent = "{_NO_ANSWER}";
  }}
}}"""
"""The browser asks the loop's API: so images and pages know the same session."""


@ui.page("/login", title="Log in · edgeloop")
async def login_page(request: Request, next: str = "/") -> Response | None:
    """A form for username and password; who is logged in goes on to the page ``next``."""
    target = _local(next)
    if not (await visit_of(request)).caller.is_device:
        return RedirectResponse(target, status_code=303)
    ui.query(".nicegui-content").classes("el-page el-login")
    form = block("el-panel", tag="form").put(method="post", data_next=target)
    form.on("submit", js_handler=_SUBMIT)
    with form:
        with block("el-logo"):
            block("el-loop", tag="i")
            Text("edgeloop")
        _field("Username", name="username", kind="text", hint="username")
        _field("Password", name="password", kind="password", hint="current-password")
        Text("", "el-fault", tag="p").put(role="alert")
        Text("Log in", "el-button", tag="button").put(type="submit")
    return None


def _field(label: str, *, name: str, kind: str, hint: str) -> None:
    with block("el-field", tag="label"):
        Text(label)
        field = block(tag="input")
        field.put(name=name, type=kind, autocomplete=hint, required=True)
        if name == "username":
            field.put(autofocus=True, autocapitalize="none", spellcheck="false")


def _local(path: str) -> str:
    """The path if it is one of this loop: nobody shall be sent elsewhere after the login."""
    is_local = path.startswith("/") and not path.startswith("//")
    return path if is_local and "\\" not in path and path.isprintable() else "/"
