"""Entry of the studio: `python app.py`. Host and port: GRADIO_SERVER_NAME, GRADIO_SERVER_PORT."""

import sys
import threading

from app.service import Studio
from app.settings import Settings
from app.ui import launch
from model.errors import InputError

if __name__ == "__main__":
    try:
        studio = Studio(Settings.from_env())
    except InputError as error:
        sys.exit(f"diffumask: {error}")
    threading.Thread(target=studio.warm_up, daemon=True).start()
    studio.gauge.start()
    launch(studio)
