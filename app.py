"""Entry of the studio: `python app.py`. Host and port: GRADIO_SERVER_NAME, GRADIO_SERVER_PORT."""

import sys
import threading

from model.cli import INSTALL
from model.errors import InputError


def main() -> int:
    try:
        from app.service import Studio
        from app.settings import Settings
        from app.ui import launch

        studio = Studio(Settings.from_env())
        threading.Thread(target=studio.warm_up, daemon=True).start()
        studio.gauge.start()
        launch(studio)
    except (InputError, OSError) as error:  # OSError: the port is taken
        print(f"diffumask: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"diffumask: {error.name} is not installed here: {INSTALL}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
