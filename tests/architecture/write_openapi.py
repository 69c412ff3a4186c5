"""Write docs/openapi.json from the application, after a change of the API that is meant: `python -m` this."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from suggest_api.main import create_app
from suggest_api.settings import Settings
from tests.architecture.test_routes import OPENAPI


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(home=Path(folder), demo=True, database_url=None))
    OPENAPI.parent.mkdir(exist_ok=True)
    OPENAPI.write_text(json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
