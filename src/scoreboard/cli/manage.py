"""Commands that list, create, show, update and delete resources."""

from collections.abc import Callable
from dataclasses import asdict, make_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from cyclopts import App, Parameter

from scoreboard.cli import output
from scoreboard.cli.errors import UsageError
from scoreboard.cli.parameters import AppId, Json, Whole, Yes, annotate, examples, require_consent
from scoreboard.cli.resources import APPS, Resource
from scoreboard.cli.target import Target, connect, request, run

PAGE = 1_000


def management(resource: Resource) -> App:  # noqa: C901 - one function for each command
    """Return the commands that manage a resource."""
    name = resource.name

    def list_all(*, app: str | None = None, json: Json = False, server: Target | None = None) -> None:
        _print_list(resource, run(request(server, "GET", *resource.path(app)))[resource.plural], as_json=json)

    def list_page(
        *,
        app: str,
        after: Annotated[str, Parameter(help="Start after this id.")] = "",
        limit: Annotated[Whole, Parameter(help="Greatest number to list.")] = 100,
        json: Json = False,
        server: Target | None = None,
    ) -> None:
        if limit < 1:
            raise UsageError(f"--limit is {limit}; give 1 or more")
        found = run(_list_some(resource, app, after, limit, server))
        _print_list(resource, found, as_json=json)
        if len(found) == limit and not json:
            output.note(f"This is the first {limit:,}; for more, add: --after '{found[-1][name]}'")

    def create(
        id_: str, /, *, app: str | None = None, options: Any = None, json: Json = False, server: Target | None = None
    ) -> None:
        body = {name: id_, **_given(options)}
        created = run(request(server, "POST", *resource.path(app), body=body))
        if not json:
            output.note(f"Created {name} {created[name]}.")
        output.record(created, as_json=json)

    def show(id_: str, /, *, app: str | None = None, json: Json = False, server: Target | None = None) -> None:
        output.record(run(request(server, "GET", *resource.path(app), id_)), as_json=json)

    def update(
        id_: str, /, *, app: str | None = None, options: Any = None, json: Json = False, server: Target | None = None
    ) -> None:
        body = _given(options)
        if not body:
            raise UsageError(f"there is nothing to change; see: scoreboard {resource.plural} update --help")
        output.record(run(request(server, "PATCH", *resource.path(app), id_, body=body)), as_json=json)

    def delete(id_: str, /, *, app: str | None = None, yes: Yes = False, server: Target | None = None) -> None:
        require_consent(" ".join(f"delete the {name} {id_!r} {resource.cascades}".split()), yes=yes)
        run(request(server, "DELETE", *resource.path(app), id_))
        output.note(f"Deleted {name} {id_}.")

    group = App(
        name=resource.plural,
        help=resource.help,
        help_epilogue=examples(f"{resource.plural} create {resource.commands['create'][-1]}"),
    )
    app_option = Annotated[str | None, Parameter(parse=False)] if resource is APPS else AppId
    command: Callable[..., None]
    for command, id_help, options in (
        (list_page if resource.paged else list_all, "", None),
        (create, resource.id_help, _options(resource, resource.body)),
        (show, "Its id.", None),
        (update, "Its id.", _options(resource, resource.change)),
        (delete, "Its id.", None),
    ):
        verb = command.__name__.partition("_")[0]
        text, *shown = resource.commands[verb]
        id_type = Annotated[str, Parameter(name=name, help=id_help)]
        group.command(
            annotate(command, app=app_option, id_=id_type, options=options),
            name=verb,
            help=text,
            help_epilogue=examples(*(f"{resource.plural} {verb} {rest}".rstrip() for rest in shown)),
        )
    return group


def _options(resource: Resource, body: type[msgspec.Struct]) -> Any:
    """Return a class with an option for each field of a request body except the id."""
    fields: list[tuple[str, Any, Any]] = []
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
        fields.append((field.name, Annotated[option | None, parameter], msgspec.UNSET))
    # Cyclopts takes a class of the module `types`, the default here, for a built-in one.
    created = make_dataclass("Options", fields, frozen=True, kw_only=True, namespace={"__module__": __name__})
    return Parameter(name="*", show_default=False)(created) | None


def _given(options: Any) -> dict[str, Any]:
    fields = {} if options is None else asdict(options)
    return {name: value for name, value in fields.items() if value is not msgspec.UNSET}


async def _list_some(
    resource: Resource, app: str, after: str, limit: int, target: Target | None
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with connect(target) as connection:
        while len(found) < limit:
            wanted = min(PAGE, limit - len(found))
            query = {"after": found[-1][resource.name] if found else after, "limit": wanted}
            page = (await connection.client.call("GET", *resource.path(app), query=query))[resource.plural]
            found += page
            if len(page) < wanted:
                break
    return found


def _print_list(resource: Resource, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    output.table(resource.columns, rows, as_json=as_json)
    if not rows and not as_json:
        output.note(f"There are no {resource.plural} yet; create one with: scoreboard {resource.plural} create --help")
