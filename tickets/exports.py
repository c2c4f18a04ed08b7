"""Rows as CSV or XLSX, a row at a time: a million of them take no more memory than one.

Nothing that a buyer typed is ever run as a formula by whoever opens the file.
"""

import csv
import tempfile
from collections.abc import Iterable, Iterator

import xlsxwriter
from django.http import FileResponse, StreamingHttpResponse

ROWS_A_SHEET = 1_048_575  # Excel's own limit, less the heading
# What makes a spreadsheet take a text for a formula: OWASP, "CSV Injection".
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Echo:
    """Be the file that csv writes to: a row goes to whoever asked for it."""

    def write(self, row: str) -> str:
        return row


def as_csv(name: str, heading: list[str], rows: Iterable[tuple]) -> StreamingHttpResponse:
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield "\ufeff"  # Else Excel takes the file for Windows-1252.
        yield writer.writerow(heading)
        for row in rows:
            yield writer.writerow([_harmless(value) for value in row])

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def as_xlsx(name: str, heading: list[str], rows: Iterable[tuple]) -> FileResponse:
    """Write the file to the disk first, for an XLSX is a ZIP; it is gone with the response."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - FileResponse closes it
    with xlsxwriter.Workbook(file, {"constant_memory": True, "use_zip64": True}) as book:
        bold = book.add_format({"bold": True})
        sheet, line = None, ROWS_A_SHEET
        for row in rows:
            if line == ROWS_A_SHEET:
                sheet, line = _sheet(book, heading, bold), 0
            line += 1
            for column, value in enumerate(row):
                # write_string makes a text of it, whatever it begins with.
                sheet.write_string(line, column, "" if value is None else str(value))
        if sheet is None:
            _sheet(book, heading, bold)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"{name}.xlsx")


def _sheet(book: xlsxwriter.Workbook, heading: list[str], bold):
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(heading) - 1, 24)
    for column, text in enumerate(heading):
        sheet.write_string(0, column, text, bold)
    return sheet


FORMATS = {"csv": as_csv, "xlsx": as_xlsx}
