"""Knowledge in and out of files: CSV and YAML, all rows or none, every bad row named."""

from knowledge_base.exchange.exporter import ExportReport, export_file
from knowledge_base.exchange.importer import ImportReport, Prepared, import_file, prepare, write
from knowledge_base.exchange.lint import LintFinding, LintReport, lint
from knowledge_base.exchange.model import COLUMNS, ParsedFile, Problem, RawRow
from knowledge_base.exchange.reader import read

__all__ = [
    "COLUMNS",
    "ExportReport",
    "ImportReport",
    "LintFinding",
    "LintReport",
    "ParsedFile",
    "Prepared",
    "Problem",
    "RawRow",
    "export_file",
    "import_file",
    "lint",
    "prepare",
    "read",
    "write",
]
