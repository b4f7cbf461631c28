"""Commands that list, create, show, update and delete resources."""

from collections.abc import Callable
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from cyclopts import App, Parameter

from scoreboard.cli import output
from scoreboard.cli.client import Client
from scoreboard.cli.errors import UsageError
from scoreboard.cli.parameters import ABSENT, NO_OPTIONS, AppId, Json, Whole, Yes, annotate, examples, options_type
from scoreboard.cli.resources import APPS, Resource
from scoreboard.cli.target import DEFAULT, Target, request, run_with
from scoreboard.cli.transfer.collections import resource_pages

After = Annotated[str, Parameter(help="List only ids after this one.")]
Limit = Annotated[Whole, Parameter(help="Maximum number to list.")]


def management(resource: Resource) -> App:  # noqa: C901 - one function for each command
    """Return the commands that manage a resource."""
    name, plural, noun, rule = resource.name, resource.plural, resource.noun, resource.id_rule

    def list_(
        *, app: str | None = None, after: str = "", limit: int = 100, json: Json = False, server: Target = DEFAULT
    ) -> None:
        if limit < 1:
            raise UsageError(f"--limit must be 1 or more, not {limit}")

        async def read(client: Client) -> list[dict[str, Any]]:
            pages = resource_pages(client, resource, app, dict[str, Any], after, limit)
            return [row async for page in pages for row in page]

        rows = run_with(server, read)
        empty = f"There are no {plural} yet; create one with: scoreboard {plural} create --help"
        output.table(resource.columns, rows, as_json=json, empty=empty)
        if resource.paged and len(rows) == limit and not json:
            output.note(f"Listed {limit:,}; for more, add: --after '{rows[-1][name]}'")

    def create(
        id_: str, /, *, app: str | None = None, options: Any = NO_OPTIONS, json: Json = False, server: Target = DEFAULT
    ) -> None:
        created = request(server, "POST", *resource.path(app), body={name: id_, **options})
        if not json:
            output.note(f"Created {name} {created[name]}.")
        output.record(created, as_json=json)

    def show(id_: str, /, *, app: str | None = None, json: Json = False, server: Target = DEFAULT) -> None:
        output.record(request(server, "GET", *resource.path(app), id_), as_json=json)

    def update(
        id_: str, /, *, app: str | None = None, options: Any = NO_OPTIONS, json: Json = False, server: Target = DEFAULT
    ) -> None:
        if not options:
            raise UsageError(f"no field to change was given; see: scoreboard {plural} update --help")
        output.record(request(server, "PATCH", *resource.path(app), id_, body=options), as_json=json)

    def delete(id_: str, /, *, app: str | None = None, yes: Yes = False, server: Target = DEFAULT) -> None:
        output.require_consent(f"delete the {name} {id_!r} {resource.cascades}".rstrip(), yes=yes)
        request(server, "DELETE", *resource.path(app), id_)
        output.note(f"Deleted {name} {id_}.")

    group = App(
        name=plural, help=resource.help, help_epilogue=examples(f"{plural} create {resource.examples['create'][-1]}")
    )
    in_app = resource is not APPS
    order = ", sorted by id" if resource.paged else ""
    listing = f"List the {plural} of an app{order}." if in_app else "List all apps."
    example = resource.examples["update"][0].partition(" ")[0]
    place = " --app demo" if in_app else ""
    command: Callable[..., None]
    for command, verb, text, default_example, options in (
        (list_, "list", listing, place, None),
        (create, "create", f"Create {noun}.", "", _options(resource, resource.body)),
        (show, "show", f"Show {noun}.", example + place, None),
        (update, "update", f"Change the given fields of {noun}.", "", _options(resource, resource.change)),
        (delete, "delete", f"Delete {noun} {resource.cascades}".rstrip() + ".", f"{example}{place} --yes", None),
    ):
        shown = resource.examples.get(verb, (default_example,))
        annotate(
            command,
            app=AppId if in_app else Annotated[str | None, ABSENT],
            after=After if resource.paged else Annotated[str, ABSENT],
            limit=Limit if resource.paged else Annotated[int, ABSENT],
            id_=Annotated[str, Parameter(name=name, help=f"Id of the {name}{rule if verb == 'create' else ''}.")],
            options=options,
        )
        group.command(
            command,
            name=verb,
            help=f"{text} {resource.remarks.get(verb, '')}".rstrip(),
            help_epilogue=examples(*(f"{plural} {verb} {rest.strip()}" for rest in shown)),
        )
    return group


def _options(resource: Resource, body: type[msgspec.Struct]) -> Any:
    """Return the type of the options for the fields of a request body except the id."""
    options: dict[str, Any] = {}
    for field in msgspec.structs.fields(body):
        if field.name == resource.name:
            continue
        union = get_args(field.type) if get_origin(field.type) in {Union, UnionType} else (field.type,)
        kind = next(one for one in union if one not in {NoneType, msgspec.UnsetType})
        repeated = kind == list[str]
        parameter = Parameter(
            name=f"--{field.name.removesuffix('s')}" if repeated else None,
            help=resource.options[field.name],
            required=field.required,
            negative=() if repeated else None,
            negative_none="no-" if body is resource.change and NoneType in union else (),
        )
        option = tuple[str, ...] if repeated else Whole if kind is int else kind
        options[field.name] = Annotated[option | None, parameter]
    return options_type(options)
