"""`diffumask proxy`: shorten prompts on their way to a language model's server."""

from __future__ import annotations

import argparse

from .serve import MEBIBYTE, add_service_flags, announce, make_shortener
from .tools import Commands, command


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "proxy",
        "shorten prompts on their way to an OpenAI- or Anthropic-compatible server",
        "  %(prog)s --upstream https://api.openai.com        # then: OPENAI_BASE_URL=http://localhost:8788/v1\n"
        "  %(prog)s --upstream https://api.anthropic.com     # then: ANTHROPIC_BASE_URL=http://localhost:8788\n"
        "  %(prog)s --upstream http://localhost:8000 --audit # change nothing, only say what would be saved",
        extra="service",
    )
    flag = parser.add_argument
    flag("--upstream", required=True, metavar="URL", help="the server that answers")
    flag("--audit", action="store_true", help="send everything as it comes; headers say what would be saved")
    flag("--retention", type=float, default=0.5, metavar="R", help="share to keep at most of what may go (0.5)")
    flag("--min-tokens", type=int, default=256, metavar="N", help="texts with fewer tokens stay whole (256)")
    flag("--assistant-messages", action="store_true", help="shorten what the assistant said earlier, too")
    add_service_flags(parser, port=8788, timeout=20, body=32)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from ..service.proxy.app import ProxySettings, make_proxy
    from ..service.proxy.upstream import Upstream
    from ..service.serve import listen, serve_app
    from ..service.turns import Wishes

    upstream = Upstream(arguments.upstream)
    wishes = Wishes(
        arguments.retention, user=True, assistant=arguments.assistant_messages, min_tokens=arguments.min_tokens
    )
    settings = ProxySettings(wishes, arguments.audit, arguments.max_body * MEBIBYTE, arguments.timeout)
    with listen(arguments.host, arguments.port) as socket:
        app = make_proxy(make_shortener(arguments), upstream, settings)
        announce(f"proxy to {upstream.url}", socket)
        serve_app(app, [socket], arguments.timeout)
