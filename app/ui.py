"""The page: its tabs, and what leads from one to another."""

from __future__ import annotations

import sys
from typing import Any

import gradio as gr

from app.account.tab import account_tab
from app.api import add_endpoints, mcp_is_there
from app.compare.tab import CompareTab, compare_tab
from app.components.counting import OWN
from app.components.forms import INSTANT, MODEL_QUEUE
from app.components.scripted import scripted
from app.correct.tab import CorrectTab, correct_tab
from app.explore.pasted import prompt_text, without_question
from app.explore.tab import ExploreTab, explore_tab
from app.hosting.serve import host
from app.hosting.uploads import AGE, LOOK, clean_up
from app.learn.tab import learn_tab
from app.results.tab import results_tab
from app.review.tab import review_tab
from app.studio import Studio
from app.web import LOGO, read_web

SWITCH = (
    0.0005  # seconds that a thread may go on in Python while others wait: reading a long prompt must not hold up saving
)
MAX_UPLOAD = 200 * 2**20  # bytes of a file
_TITLE = "DiffuMask Studio"
_ABOUT = (
    "Paste a prompt, see what a language model can do without and what would be lost, check the answers, "
    "and take the short prompt into your program."
)


def build(studio: Studio) -> gr.Blocks:
    """The page; nothing is loaded or started here."""
    with gr.Blocks(title=_TITLE, analytics_enabled=False, delete_cache=(LOOK, AGE)) as page:
        gr.HTML(f"{read_web('logo.svg')}<div><h1>{_TITLE}</h1><p>{_ABOUT}</p></div>", elem_id="masthead")
        scripted("confirm", elem_id="confirm")  # for every button with the class dm-confirm
        # Outside the tabs, for a component inside a tab does not exist until that tab is opened.
        kept_name = gr.BrowserState("", storage_key="diffumask-name", secret="diffumask")
        counter = gr.State(OWN)  # the tokenizer that the visitor wants tokens counted with
        with gr.Tabs() as tabs:
            with gr.Tab("Explore", id="explore"):
                explore = explore_tab(studio, counter)
            with gr.Tab("Correct", id="correct") as tab:
                correct = correct_tab(studio, page, tab, kept_name, counter, explore.settings)
            with gr.Tab("Review", id="review") as tab:
                review_tab(studio, tab, tabs, correct, kept_name)
            with gr.Tab("Learn", id="learn") as tab:
                learn_tab(studio, tab)
            with gr.Tab("Compare", id="compare") as tab:
                compare = compare_tab(studio, page, tab, correct.name)
            with gr.Tab("Results", id="results") as tab:
                results_tab(studio.settings, tab)
            if studio.settings.hosting.hosted:
                with gr.Tab("Account", id="account") as tab:
                    account_tab(studio, tab)
        _lead_to_correct(explore, correct, tabs)
        _lead_to_compare(explore, compare, tabs)
        add_endpoints(studio, MODEL_QUEUE)
    return page


def _lead_to_correct(explore: ExploreTab, correct: CorrectTab, tabs: gr.Tabs) -> None:
    """Correct this by hand: open Explore's prompt in the Correct tab."""
    moved = explore.correct_this.click(
        lambda text, retention: (prompt_text(text), retention, gr.Tabs(selected="correct")),
        [explore.text, explore.retention],
        [correct.text, correct.retention, tabs],
        **INSTANT,
    )
    correct.open_after(moved.then)


def _lead_to_compare(explore: ExploreTab, compare: CompareTab, tabs: gr.Tabs) -> None:
    """Compare with other ways: Explore's prompt in the Compare tab, its question apart."""
    explore.compare_this.click(
        lambda text: (*without_question(prompt_text(text)), gr.Tabs(selected="compare")),
        explore.text,
        [compare.context, compare.questions, tabs],
        **INSTANT,
    )


def launch(studio: Studio, **options: Any) -> Any:
    """Serve the page; options go to Gradio's `launch`."""
    studio.finetuning.recover()
    clean_up()
    sys.setswitchinterval(SWITCH)
    page = build(studio)
    options = {
        "mcp_server": mcp_is_there(),
        "max_file_size": MAX_UPLOAD,
        "favicon_path": str(LOGO),
        **host(page, studio.settings.hosting, lambda person, name: studio.store.log(person.id, name)),
        **options,
    }
    return page.launch(theme=theme(), css=_css(), footer_links=["api", "settings"], **options)


def theme() -> gr.themes.Base:
    """Gradio's plain theme in the canvas's blue, with the system's fonts (nothing is fetched)."""
    sans = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
    mono = ("ui-monospace", "IBM Plex Mono", "Consolas", "monospace")
    plain = gr.themes.Default(primary_hue="sky", neutral_hue="slate", radius_size="md", font=sans, font_mono=mono)
    return plain.set(  # dark enough to be read: 4.5:1 and more
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_secondary_background_fill="*background_fill_primary",
        button_secondary_background_fill_hover="*background_fill_secondary",
        button_secondary_background_fill_dark="*background_fill_primary",
        button_secondary_background_fill_hover_dark="*background_fill_secondary",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_700",
        checkbox_border_color_selected="*primary_700",
        checkbox_border_color_selected_dark="*primary_500",
        slider_color="*primary_700",
        slider_color_dark="*primary_500",
        block_label_text_color="*neutral_600",
        block_title_text_color="*neutral_700",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
    )


def _css() -> str:
    return "".join(map(read_web, ("page.css", "canvas.css", "table.css", "learn.css", "compare.css", "results.css")))
