"""Knowledge in and out of files: CSV and YAML, all rows or none, every bad row named."""

from knowledge_base.exchange.desks import DESKS
from knowledge_base.exchange.exporter import ExportReport, export_file
from knowledge_base.exchange.importer import ImportReport, Prepared, import_file, prepare, write
from knowledge_base.exchange.lint import LintFinding, LintReport, lint
from knowledge_base.exchange.model import COLUMNS, ParsedFile, Problem, RawRow, Source
from knowledge_base.exchange.plan import Change
from knowledge_base.exchange.reader import read
from knowledge_base.exchange.sample import sample
from knowledge_base.exchange.upload import Upload, plan_upload

__all__ = [
    "COLUMNS",
    "DESKS",
    "Change",
    "ExportReport",
    "ImportReport",
    "LintFinding",
    "LintReport",
    "ParsedFile",
    "Prepared",
    "Problem",
    "RawRow",
    "Source",
    "Upload",
    "export_file",
    "import_file",
    "lint",
    "plan_upload",
    "prepare",
    "read",
    "sample",
    "write",
]
