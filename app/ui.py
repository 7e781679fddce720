"""Layout of the studio and what is wired to what."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.api import add_endpoints, mcp_is_there
from app.compare.tab import compare_tab
from app.components.canvas import retention_slider, token_canvas
from app.components.counting import OWN
from app.correct.tab import correct_tab
from app.corrections.tab import corrections_tab
from app.explore.events import MODEL, Handlers
from app.explore.examples import EXAMPLES
from app.learn.tab import learn_tab
from app.results.tab import results_tab
from app.studio import BREAKS, DIGITS, TASK, Studio
from app.web import read_web
from model.diffusion.trace import MAX_STEPS

MAX_UPLOAD = 200 * 2**20  # bytes of a file
_TITLE = "DiffuMask Studio"
_ABOUT = "Watch a diffusion model decide, step by step, which words of a prompt a language model really needs."
_EMPTY = "Press Run. Every word starts undecided; the model then keeps or drops the ones it is most certain of."


def build(studio: Studio) -> gr.Blocks:
    """The page; nothing is loaded or started here."""
    answers = Handlers(studio)
    with gr.Blocks(title=_TITLE, analytics_enabled=False) as page:
        gr.HTML(f"<h1>{_TITLE}</h1><p>{_ABOUT}</p>", elem_id="masthead")
        # Outside the tabs: what is in a tab is not there until the tab is opened.
        kept = gr.BrowserState("", storage_key="diffumask-name", secret="diffumask")
        counter = gr.State(OWN)  # the tokenizer that the visitor wants tokens counted with
        with gr.Tabs() as tabs:
            with gr.Tab("Explore", id="explore"):
                prompt, settings, correct_this = _explore_tab(answers, counter)
            with gr.Tab("Correct", id="correct") as correct:
                (name, *opened), open_it = correct_tab(studio, page, correct, kept, counter, settings)
            with gr.Tab("Corrections", id="corrections") as corrections:
                corrections_tab(studio, corrections, name, kept, [tabs, *opened])
            with gr.Tab("Learn", id="learn") as learn:
                learn_tab(studio, learn)
            with gr.Tab("Compare", id="compare") as compare:
                compare_tab(studio, page, compare, name)
            with gr.Tab("Results", id="results") as found:
                results_tab(studio.settings, found)
        text, percent, *_ = opened
        move = correct_this.click(
            lambda text, percent: (text, percent, gr.Tabs(selected="correct")),
            [prompt, settings[0]],
            [text, percent, tabs],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
        open_it(move.then)
        add_endpoints(studio, MODEL)
    return page


def launch(studio: Studio, **options: Any) -> Any:
    """Serve the page; options go to Gradio's `launch`."""
    page = build(studio)
    page.queue(default_concurrency_limit=1, max_size=64)
    options = {"mcp_server": mcp_is_there(), "max_file_size": MAX_UPLOAD, **options}
    return page.launch(theme=theme(), css=_css(), footer_links=["api", "settings"], **options)


def _css() -> str:
    return "".join(map(read_web, ("page.css", "canvas.css", "table.css", "learn.css", "compare.css")))


def theme() -> gr.themes.Base:
    """Gradio's plain theme in the canvas's blue, with the system's fonts (nothing is fetched)."""
    sans = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
    mono = ("ui-monospace", "IBM Plex Mono", "Consolas", "monospace")
    return gr.themes.Default(primary_hue="sky", neutral_hue="slate", radius_size="md", font=sans, font_mono=mono)


def _explore_tab(answers: Handlers, counter: gr.State) -> tuple[gr.Textbox, list[Any], gr.Button]:
    """The prompt, the settings that the model takes, and the button that leads to Correct."""
    with gr.Row(elem_classes="dm-examples"):
        buttons = [gr.Button(name, size="sm", min_width=60) for name in EXAMPLES]
    first = next(iter(EXAMPLES.values()))
    prompt = gr.Textbox(first, label="Prompt", lines=3, max_lines=5, elem_id="prompt", placeholder="Paste a prompt")
    with gr.Row(equal_height=True, elem_classes="dm-controls"):
        run = gr.Button("Run", variant="primary", elem_id="run", scale=1, min_width=110)
        percent = retention_slider("retention")
        correct_this = gr.Button("Correct this by hand", elem_id="correct-this", scale=1, min_width=150)
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        settings = [percent, *_settings()]
    counters = answers.studio.counters.names
    canvas = token_canvas(slider="retention", empty=_EMPTY, counters=counters, elem_id="explore-canvas")
    with gr.Accordion("Charts of this run", open=False, elem_id="charts"):
        heat = gr.Plot(label="Keep probability", show_label=False)
        with gr.Row():
            bars, shots = gr.Plot(show_label=False), gr.Plot(show_label=False)
    last_run = gr.State(None)

    inputs, outputs = [counter, prompt, *settings], [canvas, last_run]
    shared: dict[str, Any] = {
        "concurrency_id": MODEL,
        "show_progress": "hidden",
        "api_visibility": "private",
    }
    runs = [run.click(answers.run, inputs, outputs, **shared)]
    runs.append(canvas.resample(answers.resample, inputs, outputs, trigger_mode="always_last", **shared))
    canvas.count(answers.count, last_run, [canvas, counter], show_progress="hidden", api_visibility="private")
    for button, text in zip(buttons, EXAMPLES.values(), strict=True):
        filled = button.click(
            lambda text=text: text, None, prompt, queue=False, show_progress="hidden", api_visibility="private"
        )
        runs.append(filled.then(answers.run, inputs, outputs, **shared))
    for event in runs:
        event.then(
            answers.draw_charts,
            last_run,
            [heat, bars, shots],
            show_progress="hidden",
            api_visibility="private",
        )
    return prompt, settings, correct_this


def _settings() -> list[Any]:
    """Steps, threshold, seed, rules and words, in the order that `handlers.read_ask` takes them."""
    with gr.Row():
        steps = gr.Slider(1, MAX_STEPS, 8, step=1, label="Steps", info="More steps decide more carefully")
        threshold = gr.Slider(
            0, 0.99, 0, step=0.01, label="Confidence threshold", info="Who is less certain waits for a later step"
        )
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, info="The same seed gives the same mask")
    with gr.Row():
        rules = gr.CheckboxGroup([DIGITS, BREAKS, TASK], value=[TASK], label="Always keep")
        words = gr.Textbox(label="Always keep these words", placeholder=r"not, never, Ann   or a pattern: /\bANN-\d+/")
    return [steps, threshold, seed, rules, words]
