"""Entry of the studio: `python app.py`. Host and port: GRADIO_SERVER_NAME, GRADIO_SERVER_PORT."""

import threading

from app.service import Studio
from app.settings import Settings
from app.ui import launch

if __name__ == "__main__":
    studio = Studio(Settings.from_env())
    threading.Thread(target=studio.warm_up, daemon=True).start()
    studio.gauge.start()
    launch(studio)
