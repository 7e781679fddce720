"""Entry of the studio: `python app.py`. Host and port: GRADIO_SERVER_NAME, GRADIO_SERVER_PORT."""

import signal
import sys
import threading

from annotations.errors import ExportError
from model.errors import InputError, not_installed


def main() -> int:
    try:
        from app.hosting.uploads import use_own_folder

        use_own_folder()  # before Gradio is imported, which asks only once
        from app.settings import Settings
        from app.studio import Studio
        from app.ui import launch

        studio = Studio(Settings.from_env())
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the log of corrections gets the last ones
        threading.Thread(target=studio.warm_up, daemon=True).start()
        studio.syncing.start()
        studio.gauge.start()
        try:
            launch(studio)
        finally:
            studio.syncing.stop()
    except (InputError, ExportError, OSError) as error:  # OSError: the port is taken
        print(f"diffumask: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"diffumask: {not_installed(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
