"""A stand-in of the Hugging Face Hub's HTTP interface, as far as huggingface_hub uses it here.

Repositories, commits with inline and LFS files, downloads with ETags; and whatever may go wrong, on demand.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_standin"
LFS = (".safetensors", ".parquet")  # what is uploaded by LFS, as the Hub's .gitattributes has it


@dataclass
class Repo:
    """commits: (id, path -> bytes), oldest first."""

    private: bool
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[-1][1]

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        if revision == "main":
            return self.commits[-1]
        return next((commit for commit in self.commits if commit[0] == revision), None)

    def add(self, files: dict[str, bytes]) -> str:
        id = hashlib.sha1(f"{len(self.commits)} {sorted(files)}".encode()).hexdigest()
        self.commits.append((id, files))
        return id


@dataclass
class Fault:
    """The next `times` requests whose method and path match get `status`; after: when their work was done."""

    pattern: str
    status: int
    times: int = 1
    retry_after: str = ""
    after: bool = False


class Hub:
    """What the server holds. repos: (kind, name) -> repository; requests: method and path of each, in order."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.url = ""
        self.lock = threading.RLock()

    def fail(self, pattern: str, status: int, times: int = 1, retry_after: str = "", after: bool = False) -> None:
        self.faults.append(Fault(pattern, status, times, retry_after, after))

    def fault(self, request: str, after: bool) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.after == after and re.search(fault.pattern, request):
                fault.times -= 1
                return fault
        return None

    def files(self, name: str, kind: str = "model") -> dict[str, bytes]:
        return self.repos[kind, name].files

    def put(self, name: str, files: dict[str, bytes], kind: str = "model", private: bool = False) -> str:
        """Another program's commit."""
        repo = self.repos.setdefault((kind, name), Repo(private, [("0" * 40, {})]))
        return repo.add(files)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def _any(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        request = f"{self.command} {path}"
        with self.hub.lock:
            self.hub.requests.append(request)
            if (fault := self.hub.fault(request, after=False)) is not None:
                self._fault(fault)
                return
            self.after = self.hub.fault(request, after=True)
            for pattern, answer in _ROUTES:
                if (match := re.fullmatch(pattern, request)) is not None:
                    answer(self, *match.groups())
                    return
            self._send(404, {"error": f"no such address: {request}"})

    do_GET = do_HEAD = do_POST = do_PUT = _any  # noqa: N815

    def _fault(self, fault: Fault) -> None:
        more = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        self._send(fault.status, {"error": "on demand"}, more)

    def _send(self, status: int, answer: Any, more: dict[str, str] | None = None) -> None:
        fault: Fault | None = getattr(self, "after", None)
        if fault is not None and status < 400:
            self.after = None
            self._fault(fault)
            return
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    # --- who may -------------------------------------------------------------------------------------------

    def _signed_in(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _may_write(self) -> bool:
        if not self._signed_in():
            self._send(401, {"error": "Invalid username or password."})
        return self._signed_in()

    def _repo(self, kind: str, name: str) -> Repo | None:
        repo = self.hub.repos.get((kind, name))
        if repo is None or (repo.private and not self._signed_in()):
            self._send(404 if self._signed_in() else 401, {"error": "-"}, {"X-Error-Code": "RepoNotFound"})
            return None
        return repo

    def _commit_at(self, repo: Repo, revision: str) -> tuple[str, dict[str, bytes]] | None:
        found = repo.at(revision)
        if found is None:
            self._send(404, {"error": "-"}, {"X-Error-Code": "RevisionNotFound"})
        return found

    # --- answers -------------------------------------------------------------------------------------------

    def create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else f"me/{asked['name']}"
        key = (asked.get("type", "model"), name)
        if self._may_write():
            there = key in self.hub.repos
            private = asked.get("visibility") == "private" or bool(asked.get("private"))
            self.hub.repos.setdefault(key, Repo(private, [("0" * 40, {})]))
            self._send(409 if there else 200, {"url": f"{self.hub.url}/{name}", "error": "exists" if there else ""})

    def validate(self) -> None:
        self._send(200, {"errors": [], "warnings": []})

    def info(self, kind: str, name: str, revision: str | None) -> None:
        if (repo := self._repo(kind, name)) and (found := self._commit_at(repo, revision or "main")):
            files = [{"rfilename": path, "size": len(data), "blobId": "0" * 40} for path, data in found[1].items()]
            self._send(200, {"id": name, "sha": found[0], "private": repo.private, "siblings": files, "tags": []})

    def preupload(self, kind: str, name: str, revision: str) -> None:
        if (repo := self._repo(kind, name)) and self._may_write():
            modes = [self._mode(file["path"], repo.files.get(file["path"])) for file in json.loads(self.body)["files"]]
            self._send(200, {"files": modes})

    def _mode(self, path: str, there: bytes | None) -> dict[str, Any]:
        mode = "lfs" if path.endswith(LFS) else "regular"
        oid = None if there is None else _oid(there, mode)
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    def batch(self) -> None:
        objects = json.loads(self.body)["objects"]
        for entry in objects:
            if entry["oid"] not in self.hub.blobs:
                entry["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{entry['oid']}", "header": {}}}
        self._send(200, {"transfer": "basic", "objects": objects})

    def upload(self, oid: str) -> None:
        assert hashlib.sha256(self.body).hexdigest() == oid
        self.hub.blobs[oid] = self.body
        self._send(200, {})

    def commit(self, kind: str, name: str, revision: str) -> None:
        if not ((repo := self._repo(kind, name)) and self._may_write()):
            return
        lines = [json.loads(line) for line in self.body.splitlines()]
        parent = lines[0]["value"].get("parentCommit")
        if parent and parent != repo.commits[-1][0]:
            self._send(412, {"error": "A commit has happened since. Please refresh and try again."})
            return
        files = dict(repo.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            else:
                del files[value["path"]]
        id = repo.add(files)
        self._send(200, {"commitUrl": f"{self.hub.url}/{name}/commit/{id}", "commitOid": id})

    def squash(self, kind: str, name: str, branch: str) -> None:
        if (repo := self._repo(kind, name)) and self._may_write():
            repo.commits = [("0" * 40, {}), repo.commits[-1]]
            self._send(200, {})

    def tree(self, kind: str, name: str, revision: str) -> None:
        if (repo := self._repo(kind, name)) and (found := self._commit_at(repo, revision)):
            sizes = [{"type": "file", "path": path, "size": len(data), "oid": "0"} for path, data in found[1].items()]
            self._send(200, sizes)

    def resolve(self, prefix: str | None, name: str, revision: str, path: str) -> None:
        kind = "dataset" if prefix else "model"
        if not ((repo := self._repo(kind, name)) and (found := self._commit_at(repo, revision))):
            return
        if path not in found[1]:
            self._send(404, {"error": "-"}, {"X-Error-Code": "EntryNotFound"})
            return
        data = found[1][path]
        tag = f'"{_oid(data, "lfs" if path.endswith(LFS) else "regular")}"'
        self._send(200, data, {"ETag": tag, "X-Repo-Commit": found[0], "Accept-Ranges": "bytes"})


def _oid(data: bytes, mode: str) -> str:
    if mode == "lfs":
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


_NAME = r"([\w.-]+/[\w.-]+)"
_ROUTES: tuple[tuple[str, Any], ...] = (
    (r"POST /api/repos/create", _Handler.create),
    (r"POST /api/validate-yaml", _Handler.validate),
    (rf"GET /api/(model|dataset)s/{_NAME}(?:/revision/(.+))?", _Handler.info),
    (rf"GET /api/(model|dataset)s/{_NAME}/tree/([^/]+)", _Handler.tree),
    (rf"POST /api/(model|dataset)s/{_NAME}/preupload/(.+)", _Handler.preupload),
    (r"POST /.+\.git/info/lfs/objects/batch", _Handler.batch),
    (r"PUT /lfs/(\w+)", _Handler.upload),
    (rf"POST /api/(model|dataset)s/{_NAME}/commit/(.+)", _Handler.commit),
    (rf"POST /api/(model|dataset)s/{_NAME}/super-squash/(.+)", _Handler.squash),
    (rf"(?:GET|HEAD) /(datasets/)?{_NAME}/resolve/([^/]+)/(.+)", _Handler.resolve),
)


@contextmanager
def hub_stand_in() -> Iterator[Hub]:
    """A server of its own, for as long as the block lasts."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Hub]:
    """The same for this process: its huggingface_hub talks to the stand-in, as somebody who is signed in."""
    from huggingface_hub import constants

    import model.hub

    with hub_stand_in() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(model.hub, "WAITS", (0.01, 0.01, 0.01))
        yield hub
