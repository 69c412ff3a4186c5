"""The commands `firstline kb`, `firstline encoder` and `firstline policy`; the service's command line mounts the
groups.
"""

import typer

from knowledge_base.cli import (
    content,
    duplicates,
    generations,
    policy_changes,
    policy_learning,
    publishing,
    reviewing,
    tuning,
)
from knowledge_base.cli.generations import encoder_app
from knowledge_base.cli.golden import golden_app
from knowledge_base.cli.policy import policy_app

__all__ = ["encoder_app", "kb_app", "policy_app"]

kb_app = typer.Typer(
    name="kb", help="Snippets: import, export, check, build.", no_args_is_help=True
)
content.register(kb_app)
generations.register(kb_app)
publishing.register(kb_app)
tuning.register(kb_app)
reviewing.register(kb_app)
duplicates.register(kb_app)
kb_app.add_typer(golden_app)
policy_changes.register(policy_app)
policy_learning.register(policy_app)
