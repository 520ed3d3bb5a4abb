"""The Inspector: a call behind a page, as it was made and as code that can be run.

The official SDKs have no classes for this server's own service, so the code uses their generic clients. curl signs with
openssl. Keys are read from the environment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from renzheng.base.addresses import is_loopback
from renzheng.console.actions import Service
from renzheng.console.calls import MASK, Call, Calls
from renzheng.console.door import Visitor
from renzheng.console.forms import FormError
from renzheng.console.frame import PageFrame

LANGUAGES = (
    ("python", "Python", "pip install tencentcloud-sdk-python-common"),
    ("java", "Java", "com.tencentcloudapi:tencentcloud-sdk-java-common"),
    ("go", "Go", "go get github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"),
    ("node", "Node.js", "npm install tencentcloud-sdk-nodejs-common"),
    ("php", "PHP", "composer require tencentcloud/common"),
    ("csharp", ".NET", "dotnet add package TencentCloudSDK.Common"),
    ("cpp", "C++", "tencentcloud-sdk-cpp: core"),
    ("ruby", "Ruby", "gem install tencentcloud-sdk-common"),
    ("tccli", "tccli", "pip install tccli"),
    ("curl", "curl", ""),
)
OF_SERVICES = {"tccli": frozenset({"faceid"})}
"""SDKs that call only services whose definition they contain. All others have a generic client."""
SIGN_HOST = frozenset({"java", "node", "php", "csharp", "cpp", "ruby"})
"""SDKs that sign the first label of the endpoint's host as the service."""


@dataclass(frozen=True, slots=True)
class CodeSample:
    """`needs_name`: the SDK signs correctly only if the host's first label is the service's name, or a loopback one."""

    name: str
    label: str
    install: str
    code: str
    needs_name: bool


@dataclass(frozen=True, slots=True)
class Inspected:
    """A call as the drawer shows it. `request` and `reply`: indented JSON. `covered`: something in it is masked."""

    call: Call
    request: str
    reply: str
    samples: Sequence[CodeSample]
    covered: bool


def double(text: str) -> str:
    """Return a literal of Python, Java, JavaScript and C# in double quotes, in ASCII."""
    return json.dumps(text)


def go(text: str) -> str:
    """Return a literal of Go. Beyond the basic plane JSON writes surrogates, which Go does not accept."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")


def _octal(found: re.Match[str]) -> str:
    return f"\\{int(found[1], 16):03o}" if found[1] else found[0]


def cpp(text: str) -> str:
    """Return a literal of C++, which has octal escapes for control characters, and trigraphs before C++17."""
    octal = re.sub(r"\\(?:u00([01][0-9a-f])|.)", _octal, go(text))
    return re.sub(r"(?<=\?)\?", r"\\?", octal)


def single(text: str) -> str:
    """Return a literal of PHP and Ruby in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def shell(text: str) -> str:
    """Return a word of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


# The result is source code, without HTML entities. Pages escape it like any other text.
programs = Environment(
    loader=PackageLoader("renzheng.console", "samples"), autoescape=False, undefined=StrictUndefined,  # noqa: S701
    trim_blocks=True, lstrip_blocks=True, auto_reload=False,
)  # fmt: skip
programs.filters.update(double=double, go=go, cpp=cpp, single=single, shell=shell)


def sample(language: str, service: Service, action: str, parameters: Mapping[str, Any], region: str = "") -> str:
    """Return the call as a program. `language`: one of `LANGUAGES`. `region`: empty if none is sent."""
    given = {
        "region": region,
        "service": service,
        "action": action,
        "payload": json.dumps(parameters, ensure_ascii=False),
    }
    return programs.get_template(f"{language}.txt").render(given)


def inspect(call: Call, service: Service) -> Inspected:
    """Prepare a call for the drawer. `service`: the one that it was made to."""
    host = service.host.rpartition(":")[0] or service.host
    needs = not is_loopback(host) and not host.startswith(f"{service.name}.")
    samples = [
        CodeSample(
            name,
            label,
            install,
            sample(name, service, call.action, call.parameters, call.region),
            needs and name in SIGN_HOST,
        )
        for name, label, install in LANGUAGES
        if service.name in OF_SERVICES.get(name, (service.name,))
    ]
    request = json.dumps(call.parameters, ensure_ascii=False, indent=2)
    reply = json.dumps({"Response": call.response}, ensure_ascii=False, indent=2)
    return Inspected(call, request, reply, samples, MASK in request)


class InspectorPages:
    """Shows one call of the person's own session: request, reply and code."""

    def __init__(self, calls: Calls, frame: PageFrame) -> None:
        self._calls = calls
        self._frame = frame

    async def show(self, request: Request, visitor: Visitor) -> Response:
        wanted = request.path_params["request_id"]
        made = await self._calls.recent(visitor)
        call = next((one for one in made if one.request_id == wanted), None)
        if call is None:
            raise FormError(404, "missing")
        service = self._calls.service_of(call)
        shown = {"one": inspect(call, service), "service": service}
        return self._frame.page("call.html", request, visitor, shown, calls=made)
