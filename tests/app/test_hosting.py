"""A studio for strangers: who may do what, whatever way a handler is called; what the edge lets in."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotations.store import Store, open_store
from app.api import Endpoints
from app.hosting.edge import VISITOR, Origin, Signature
from app.hosting.identity import Identity
from app.hosting.mode import Hosting, Limits
from app.hosting.people import LOCAL, Person, Role
from app.hosting.quotas import HOUR, QuotaError, Quotas
from app.hosting.roles import ROLES, role_of
from app.ui import build
from model.errors import InputError
from tests.support.hosted import HOSTING, PEOPLE, Stranger, hosted_studio, names_of, served

COUNTS = {  # parameters of each endpoint
    name: len(inspect.signature(answer).parameters) - 1
    for name, answer in vars(Endpoints).items()
    if not name.startswith("_")
}
REFUSALS = ("Sign in to do this.", "Only reviewers may do this.", "Only admins may do this.")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/store.sqlite3")


@pytest.fixture(scope="module")
def url(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(hosted_studio(store, tmp_path_factory.mktemp("data"))) as url:
        yield url


@pytest.fixture(scope="module")
def names(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """Of the handlers, by index; every hosted page has the same."""
    return names_of(hosted_studio(store, tmp_path_factory.mktemp("page")))


def index_of(name: str, names: dict[int, str]) -> int:
    return next(index for index, each in names.items() if each == name)


# --- roles -------------------------------------------------------------------------------------------------


def test_every_handler_has_a_declared_role_and_every_role_a_handler(names: dict[int, str]) -> None:
    assert not [name for name in names.values() if role_of(name) is None]
    assert not set(ROLES) - set(names.values())


def test_a_lambda_of_a_layout_knows_nothing_but_the_page(store: Store, tmp_path: Path) -> None:
    """Which is why lambdas need no role."""
    for handler in build(hosted_studio(store, tmp_path)).fns.values():
        if handler.fn is not None and handler.fn.__qualname__.endswith("<lambda>"):
            held = [cell.cell_contents for cell in handler.fn.__closure__ or ()]
            assert all(isinstance(value, str | int | float | tuple | list | dict) for value in held)


def test_each_handler_refuses_the_role_below_when_it_is_called_by_index(url: str, names: dict[int, str]) -> None:
    refused = set[str]()
    strangers = {role: Stranger(url, user) for role, user in PEOPLE.items()}
    assert set(strangers[0].handlers()) == set(names), "the page that is served is the one that was looked at"
    for index, name in names.items():
        role = role_of(name)
        if role is None or role == Role.VISITOR:
            continue
        below = strangers[role - 1]
        done, said = below.ask(index, below.blank(index))
        assert not done and said in REFUSALS, (index, name, said)
        refused.add(name)
    assert len(refused) == sum(role > Role.VISITOR for role in ROLES.values())


def test_every_endpoint_refuses_the_role_below_and_no_other(url: str) -> None:
    named = Stranger(url).http.get("gradio_api/info").json()["named_endpoints"]
    assert {f"/{name}" for name in COUNTS} == set(named), "the endpoints that are served are those of the class"
    for name, count in COUNTS.items():
        role = ROLES[f"Endpoints.{name}"]
        for person in {max(role - 1, 0), role}:
            http = Stranger(url, PEOPLE[person]).http
            called = http.post(f"gradio_api/call/{name}", json={"data": [[]] * count}).json()
            said = http.get(f"gradio_api/call/{name}/{called['event_id']}").text
            assert any(refusal in said for refusal in REFUSALS) == (person < role), (name, said)
            for way in ("run", "api"):
                answer = http.post(f"gradio_api/{way}/{name}", json={"data": [[]] * count})
                assert answer.status_code == 404 and "join the queue" in answer.text, "past the lanes"


def test_every_tool_refuses_the_role_below_and_no_other(url: str) -> None:
    named = {tool["name"]: tool for tool in Stranger(url).tool("tools/list")["tools"]}
    assert set(named) == set(COUNTS)
    for name, tool in named.items():
        role, needs = ROLES[f"Endpoints.{name}"], tool["inputSchema"].get("required", ())
        given = {need: [] if tool["inputSchema"]["properties"][need]["type"] == "array" else "x" for need in needs}
        for person in {max(role - 1, 0), role}:
            said = str(Stranger(url, PEOPLE[person]).tool("tools/call", {"name": name, "arguments": given}))
            assert any(refusal in said for refusal in REFUSALS) == (person < role), (name, said)


# --- who asks ----------------------------------------------------------------------------------------------


class Asked:
    """A request as Gradio hands it on."""

    def __init__(self, header: str = "", username: str = "", session: Any = None):
        self.headers, self.username, self.scope = {VISITOR: header}, username, {"session": session}
        self.request = None


def test_who_is_signed_in() -> None:
    signature = Signature()
    identity = Identity(replace(HOSTING, oauth=True), signature)
    login = {"oauth_info": {"expires_at": 2**40, "userinfo": {"preferred_username": "ada"}}}
    over = {"oauth_info": {"expires_at": 1, "userinfo": {"preferred_username": "ada"}}}
    assert identity.person(Asked(signature.sign(Origin("1.2.3.4", "ann")))) == Person(
        "proxy:ann", Role.ANNOTATOR, "1.2.3.4"
    )
    assert identity.person(Asked(signature.sign(Origin("1.2.3.4", "rex")))).role == Role.REVIEWER
    assert identity.person(Asked(username="rex")).role == Role.ANNOTATOR, "proxy:rex was named, not auth:rex"
    assert identity.person(Asked(session=login)) == Person("hf:ada", Role.ADMIN)
    elsewhere = Asked(signature.sign(Origin("1.2.3.4", "ann", of_another_site=True)), "rex", login)
    assert identity.person(elsewhere) == Person(address="1.2.3.4"), "another site's page"
    for odd in (float("nan"), "soon", None):
        assert identity.person(Asked(session={"oauth_info": {**login["oauth_info"], "expires_at": odd}})) == Person()
    for nobody in (
        Asked(),
        Asked("forged.0000"),
        Asked(Signature().sign(Origin("", "ada"))),
        Asked(session=over),
        None,
    ):
        assert identity.person(nobody) == Person()
    assert Identity(HOSTING, signature).person(Asked(session=login)) == Person(), "nobody signs in with the Hub here"
    assert Identity(Hosting(), signature).person(Asked()) == LOCAL


def test_a_proxys_header_counts_from_a_trusted_address_only(tmp_path: Path, names: dict[int, str]) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    untrusting = Hosting(hosted=True, user_header=HOSTING.user_header, admins=("ada",))
    with served(hosted_studio(store, tmp_path, untrusting)) as url:
        index = index_of("LearnEvents.start", names)
        for headers in ({}, {VISITOR: "forged"}, {VISITOR: Signature().sign(Origin("127.0.0.1", "ada"))}):
            attacker = Stranger(url, "ada", **headers)
            assert attacker.ask(index, attacker.blank(index)) == (False, REFUSALS[2])


def test_a_proxy_tells_who_is_there_and_from_where(url: str, names: dict[int, str]) -> None:
    """uvicorn by itself puts the visitor's address in the place of the proxy's, which then was nobody's to trust."""
    index = index_of("AccountEvents.show", names)
    for headers, who in (
        ({"X-Forwarded-For": "8.8.8.8"}, "Signed in as proxy:ada (admin)"),
        ({"X-Forwarded-For": "127.0.0.1, 8.8.8.8", "Origin": url.rstrip("/")}, "Signed in as proxy:ada (admin)"),
        ({"Origin": "https://studio.example", "X-Forwarded-Host": "studio.example"}, "Signed in as proxy:ada (admin)"),
        ({"Origin": "https://evil.example"}, "not signed in"),
        ({"Origin": "null"}, "not signed in"),
    ):
        ada = Stranger(url, "ada", **headers)
        assert who in str(ada.ask(index, ada.blank(index))), headers


# --- the edge ----------------------------------------------------------------------------------------------

CLOSED = (
    *("monitoring", "monitoring/summary", "gradio_api/deep_link", "gradio_api/dev/reload", "gradio_api/runs"),
    *("gradio_api/file=http://127.0.0.1/", "gradio_api/proxy=http://127.0.0.1/", "gradio_api/run-history/buckets"),
    *("gradio_api/process_recording", "gradio_api/component_server", "gradio_api/stream/x", "gradio_api/vibe-edit"),
)


def test_doors_that_nobody_needs_are_closed(url: str) -> None:
    with httpx.Client(base_url=url) as http:
        for method in ("GET", "HEAD", "POST"):
            assert {path: http.request(method, path).status_code for path in CLOSED} == dict.fromkeys(CLOSED, 404)
        assert http.get("").status_code == 200
    assert Stranger(url).config["run_history"] is False


def test_what_is_given_as_a_file_is_never_fetched(url: str, names: dict[int, str]) -> None:
    """Not from another server (it might be without end), nor from this one's disk."""
    index = index_of("ExploreEvents.open_file", names)
    visitor = Stranger(url)
    kinds = {entry["id"]: entry["type"] for entry in visitor.config["components"]}
    inputs = [kinds[id] for id in visitor.handlers()[index]["inputs"]]
    for path, says in (("https://93.184.216.34/x", "never fetched"), ("pyproject.toml", None), ("/etc/passwd", None)):
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        data = [
            file if kind in ("file", "uploadbutton") else value
            for kind, value in zip(inputs, visitor.blank(index), strict=True)
        ]
        done, said = visitor.ask(index, data)
        assert file in data and not done and (said is None if says is None else says in said), said


def test_a_local_studio_answers_its_own_machine_only(tmp_path: Path) -> None:
    """Not another site's page (DNS rebinding has its Host, a request across sites its Origin), and no bare proxy."""
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    with served(hosted_studio(store, tmp_path, Hosting())) as url:
        assert httpx.get(f"{url}config").status_code == 200
        assert httpx.get(f"{url}config", headers={"Origin": url.rstrip("/")}).status_code == 200
        for headers in (
            {"Host": "evil.example:7860"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"X-Forwarded-For": "8.8.8.8"},
        ):
            answer = httpx.get(f"{url}config", headers=headers)
            assert answer.status_code in (400, 403) and "\n" not in answer.json()["detail"], headers


def test_hosts_and_sizes_are_bounded_for_strangers(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    hosting = Hosting(hosted=True, hosts=("studio.example",), limits=Limits(uploads=1000))
    with served(hosted_studio(store, tmp_path, hosting)) as url:
        named = {"Host": "studio.example"}
        assert httpx.get(f"{url}config", headers=named).status_code == 200
        assert httpx.get(f"{url}config", headers={"Host": "other.example"}).status_code == 400
        large = httpx.post(f"{url}gradio_api/queue/join", content=iter([b"x" * 2**20] * 9), headers=named)
        assert large.status_code in (400, 413)  # Gradio has begun to read it
        for size, status in ((800, 200), (800, 429)):
            sent = httpx.post(f"{url}gradio_api/upload", files={"files": b"x" * (size - 200)}, headers=named)
            assert sent.status_code == status, sent.text
    with served(hosted_studio(store, tmp_path, replace(hosting, disk_free=2**62))) as url:
        sent = httpx.post(f"{url}gradio_api/upload", files={"files": b"x"}, headers=named)
        assert sent.status_code == 429 and "nearly full" in sent.text


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"DIFFUMASK_MODE": "open"}, "one of local, hosted"),
        ({"DIFFUMASK_MODE": "local", "GRADIO_SERVER_NAME": "0.0.0.0"}, "this machine only"),
        ({"DIFFUMASK_PROXIES": "proxy"}, "no address or network"),
        ({"DIFFUMASK_USER_HEADER": "x-user", "SPACE_ID": "a/b"}, "needs DIFFUMASK_PROXIES"),
        ({"DIFFUMASK_DISK_FREE": "much"}, "number of megabytes"),
    ],
)
def test_what_the_environment_says_wrong_is_said_in_one_line(environ: dict[str, str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Hosting.from_env(environ)


def test_when_a_studio_is_hosted() -> None:
    assert not Hosting.from_env({}).hosted and not Hosting.from_env({"GRADIO_SERVER_NAME": "127.0.0.1"}).hosted
    for hosted in ({"SPACE_ID": "a/b"}, {"GRADIO_SERVER_NAME": "0.0.0.0"}, {"DIFFUMASK_MODE": "hosted"}):
        assert Hosting.from_env(hosted).hosted


def test_people_sign_in_with_the_hub_on_a_space_only() -> None:
    """Elsewhere Gradio signs everybody in as the owner of the machine's token, with a secret that everybody knows."""
    oauth = {"OAUTH_CLIENT_ID": "x", "OAUTH_CLIENT_SECRET": "y", "SPACE_ID": "a/b"}
    assert Hosting.from_env({**oauth, "SYSTEM": "spaces"}).oauth
    for missing in ({"SYSTEM": ""}, {"SYSTEM": "spaces", "OAUTH_CLIENT_SECRET": ""}, {"SYSTEM": "", "SPACE_ID": ""}):
        assert not Hosting.from_env({**oauth, **missing}).oauth


# --- crowds ------------------------------------------------------------------------------------------------


def test_unheard_requests_for_the_model_keep_nobody_from_saving(tmp_path: Path, names: dict[int, str]) -> None:
    """The model does not get on at all; each person may wait with 20 runs, and all together with as many as fit."""
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite3")
    studio, over = hosted_studio(store, tmp_path), threading.Event()
    run, save = index_of("ExploreEvents.run", names), index_of("QueueEvents.paste", names)
    with served(studio) as url:
        threading.Thread(target=studio.served.run, args=(over.wait, 60), daemon=True).start()
        crowd = [Stranger(url, f"user{i}") for i in range(5)]
        said = [[one.join(run, one.blank(run)) for _ in range(22)] for one in crowd]
        ann = Stranger(url, "ann")
        done, saved = ann.ask(save, ann.blank(save))
        over.set()
    assert [answer.status_code for answer in said[0]] == [200] * 20 + [503] * 2
    assert "Your last requests" in said[0][-1].text and "Too many people" in said[-1][-3].text
    assert done, saved


def test_quotas_forget_after_an_hour() -> None:
    now = [0.0]
    quotas = Quotas(Limits(runs=3), clock=lambda: now[0])
    ann, same_address = Person("hf:ann", Role.ANNOTATOR, "1.1.1.1"), Person("", Role.VISITOR, "1.1.1.1")
    for _ in range(3):
        quotas.use(ann, "runs")
    with pytest.raises(QuotaError, match="more than 3 runs of the model an hour: try again in 60 min"):
        quotas.use(ann, "runs")
    quotas.use(same_address, "runs")
    quotas.use(LOCAL, "runs", 1000)
    now[0] = HOUR + 1
    quotas.use(ann, "runs", 3)
