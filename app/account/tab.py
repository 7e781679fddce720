"""Layout and wiring of the Account tab of a hosted studio: signing in, and what becomes of one's own work."""

from __future__ import annotations

import gradio as gr

from app.account.events import AccountEvents
from app.components.forms import Form
from app.components.scripted import table_component
from app.studio import Studio

_ABOUT = (
    "What you correct is yours alone, until you contribute it: then it is published under {licence} once a reviewer "
    "has accepted it, and the model may learn from it. You can take it back, and erase anything, at any time."
)


def account_tab(studio: Studio, tab: gr.Tab) -> None:
    """Lay the tab out, inside it, and wire it."""
    events = AccountEvents(studio)
    if studio.settings.hosting.oauth:
        gr.LoginButton()
    gr.Markdown(_ABOUT.format(licence=studio.settings.hosting.licence))
    listing = table_component(elem_id="account-list")
    work = gr.Textbox(label="Id of a correction or vote", max_length=64, elem_id="account-work")
    with gr.Row():
        contribute = gr.Button("Contribute", elem_id="account-contribute")
        withdraw = gr.Button("Take back", elem_id="account-withdraw")
        erase = gr.Button("Erase", variant="stop", elem_id="account-erase", elem_classes="dm-confirm")
        erase_all = gr.Button("Erase everything of mine", variant="stop", elem_id="account-erase-all")
    form = Form(work=work, listing=listing, said=table_component(elem_id="account-said"))
    shows = ["listing", "said"]
    form.on(tab.select, events.show, shows)
    for button, answer in (
        (contribute, events.contribute),
        (withdraw, events.withdraw),
        (erase, events.erase),
        (erase_all, events.erase_all),
    ):
        form.on(button.click, answer, shows)
