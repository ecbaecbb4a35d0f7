"""``edgeloop stream``: look at stream servers, call them, measure the way to them."""

import contextlib
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Annotated, Any

import typer

from edgeloop.cli.console import stderr
from edgeloop.cli.measuring import Bandwidth, measure_bandwidth, measure_latency, plainly
from edgeloop.cli.payloads import facts_of, payload_of, plain
from edgeloop.cli.streaming import Host, Offer, find_offer, offers_of, reached, streaming
from edgeloop.cli.tables import AsJson, show, show_json, show_one
from edgeloop.cli.watching import watch_server
from edgeloop.client.settings import StreamSettings
from edgeloop.errors import RemoteError
from edgeloop.stream.service import as_raised

app = typer.Typer(help="Servers of robots, models and trainers.", no_args_is_help=True)

_SIZES = (1_000, 100_000, 1_000_000, 10_000_000)
_OFFERS: Mapping[str, Callable[[Offer], Any]] = {
    "name": lambda offer: offer.name,
    "is": lambda offer: offer.kind,
}
_BANDWIDTHS: Mapping[str, Callable[[Bandwidth], Any]] = {
    "bytes": lambda row: row.size_bytes,
    "up ms": lambda row: row.up_ms,
    "up MB/s": lambda row: round(row.up_mb_per_s),
    "down ms": lambda row: row.down_ms,
    "down MB/s": lambda row: round(row.down_mb_per_s),
}


@app.command("ping")
@streaming
def ping(
    host: Host,
    settings: StreamSettings,
    count: Annotated[int, typer.Option(min=1, help="How many calls.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Say what a server is, what carries the calls, and how long a small one takes."""
    with reached(host, settings) as (client, about):
        latency = plainly(measure_latency(client, calls=count))
        facts = {"kind": about["kind"], "version": about.get("version"), "way": client.way}
    config = about["config"]
    if as_json:
        show_json({**facts, "config": plain(config), "latency": latency})
    else:
        _show_facts({**facts, **facts_of(config), **latency})


@app.command("interfaces")
@streaming
def interfaces(host: Host, settings: StreamSettings, as_json: AsJson = False) -> None:
    """List what can be called: a model's interfaces, a robot's actions, a trainer's requests."""
    with reached(host, settings) as (_, about):
        offers = offers_of(about)
    if as_json:
        show_json([{"name": offer.name, "is": offer.kind} for offer in offers])
    elif offers:
        show(offers, _OFFERS, as_json=False)
    else:
        said = f"This {about['kind']} server has nothing that is called by a name."
        stderr.print(said, markup=False, highlight=False, soft_wrap=True)


@app.command("call")
@streaming
def call(
    host: Host,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="One of those that `interfaces` lists.")
    ],
    settings: StreamSettings,
    payload: Annotated[str | None, typer.Option(help="A JSON object.")] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]PATH",
            help="An entry of the payload: an array (.npy, all of an .npz), an image (.jpg, .png) "
            "as an array, .json, or any other file as bytes. Repeatable.",
        ),
    ] = None,
    arrays: Annotated[
        bool, typer.Option("--arrays", help="Send lists of numbers in JSON as arrays.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Call something and show the answer; with --json whole, arrays as lists."""
    message = payload_of(payload, file or (), arrays=arrays)
    with reached(host, settings) as (client, about):
        offer = find_offer(about, name)
        try:
            answer = client.call(offer.route, offer.message(message))
        except RemoteError as error:
            raise as_raised(error) from error
    if as_json:
        show_json(plain(answer))
    else:
        _show_facts(facts_of(answer))


@app.command("bench")
@streaming
def bench(
    host: Host,
    settings: StreamSettings,
    calls: Annotated[int, typer.Option(min=1, help="How many small calls.")] = 1000,
    size: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Bytes of a large call. Repeatable.", show_default=str(_SIZES)),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="For each size, up and down.")] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Measure the way to a server: the time of small calls, MB/s of large ones, one at a time."""
    with reached(host, settings) as (client, _):
        latency = plainly(measure_latency(client, calls=calls))
        rows = [measure_bandwidth(client, each, seconds=seconds) for each in size or _SIZES]
        way = client.way
    if as_json:
        show_json({"way": way, "latency": latency, "bandwidth": [plainly(row) for row in rows]})
        return
    _show_facts({"way": way, **latency})
    show(rows, _BANDWIDTHS, as_json=False)


@app.command("watch")
@streaming
def watch(
    host: Host,
    settings: StreamSettings,
    interval_s: Annotated[float, typer.Option(min=0.01, help="Between two looks.")] = 1.0,
    frames: Annotated[int | None, typer.Option(min=1, help="End after so many looks.")] = None,
    once: Annotated[bool, typer.Option("--once", help="End after one: --frames 1.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each look.")] = False,
) -> None:
    """Show a server's figures and rates as they change, until Ctrl-C; its own calls count too."""
    with reached(host, settings) as (client, about), contextlib.suppress(KeyboardInterrupt):
        title = f"{about['kind']} at {host}"
        looks = 1 if once else frames
        watch_server(client, title, interval_s=interval_s, looks=looks, as_json=as_json)


def _show_facts(facts: Mapping[str, Any]) -> None:
    show_one(facts, {name: itemgetter(name) for name in facts}, as_json=False)
