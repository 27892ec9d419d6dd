"""A list is read whole, or refused with every mistake by row and column."""

from __future__ import annotations

import io
import pickle
import sys
import unicodedata
import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from msgspec import UNSET
from support.lists import NOVEMBER, SEPTEMBER, listing_of, read, workbook
from support.units import at

from router import limits
from router.directory import columns
from router.directory.sheets import read_sheet
from router.errors import InputError, SheetError, SheetProblem, TooLargeError
from router.messages import TABLE, say, say_problem

OURS = "number,code,name,tier,kind,parent\n"


def problems_of(text: str) -> list[tuple[int, str, str, str]]:
    with pytest.raises(SheetError) as refused:
        read(text)
    return [tuple(problem) for problem in refused.value.problems]


def one(text: str) -> object:
    (row,) = read(text).rows
    return row


def test_both_real_lists_are_read_whole() -> None:
    assert len(listing_of(SEPTEMBER)) == 11_304
    november = listing_of(NOVEMBER)
    assert len(november) == 11_239
    assert november.gso_layout
    assert not november.warnings
    last = november.rows[-1]
    assert (last.gso, last.name, last.territory, last.parent, last.tier, last.line) == (
        "GSO:32248", "Xã Đất Mũi", "xã", "GSO:973", 4, 11_240,
    )  # fmt: skip


def test_every_heading_is_known_in_vietnamese_and_without_accents_or_case() -> None:
    for column, synonyms in columns.SYNONYMS.items():
        for heading in (column, *synonyms):
            assert columns.column_of(heading) == column
            assert columns.column_of(f" {heading.upper()}* ") == column
            assert columns.column_of(unicodedata.normalize("NFD", heading)) == column
    assert columns.column_of("Ma cap tren") == "parent"
    assert columns.column_of("Tên_đơn-vị") == "name"


def test_the_words_of_an_unknown_column_name_every_known_one() -> None:
    for language in ("en", "vi"):
        _, remedy = say(SheetError("sheet.columns", problems=()), language)
        assert [name for name in columns.SYNONYMS if name not in remedy] == []


def test_unknown_headings_are_named_with_the_nearest_known_one() -> None:
    assert problems_of("code,nmae,mã cấp trênn,zzzz\n") == [
        (1, "nmae", "sheet.column_unknown", "name"),
        (1, "mã cấp trênn", "sheet.column_unknown", "parent"),
        (1, "zzzz", "sheet.column_unknown", "?"),
    ]
    assert problems_of("code,Mã,name\n") == [(1, "Mã", "sheet.column_twice", "code")]
    assert problems_of("name,tier\n")[0][2] == "sheet.column_missing"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    line = delimiter.join
    text = "\n".join([line(["Mã", "Tên", "Cấp"]), line(["H22", '"Tỉnh A, B; C"', "tỉnh"])])
    row = read_sheet(text.encode()).rows[0]
    assert (row.code, row.name, row.tier) == ("H22", "Tỉnh A, B; C", 2)


def test_a_line_that_declares_the_delimiter_is_no_row() -> None:
    listing = read("sep=;\ncode;name\nH22;Tỉnh A,B")
    assert (listing.rows[0].name, listing.rows[0].line) == ("Tỉnh A,B", 3)


def test_marks_decomposed_letters_blanks_and_windows_lines_are_taken() -> None:
    text = "GSO_Code, TIER ,Kind,Name,Parent_GSO_Code\r\n\r\n"
    text += '"00688",Commune, Xã ," Xã   Đồng  Tiến ",024\r\n,,,,\r\n'
    written = b"\xef\xbb\xbf" + unicodedata.normalize("NFD", text).encode()
    (row,) = read_sheet(written).rows
    assert (row.gso, row.tier, row.territory, row.parent) == ("GSO:00688", 4, "xã", "GSO:024")
    assert row.name == unicodedata.normalize("NFC", "Xã Đồng Tiến")
    assert row.line == 3


def test_a_gso_list_without_parents_says_nothing_of_them() -> None:
    row = one("gso_code,tier,kind,name,parent_gso_code\n01,2,tỉnh,Tỉnh A,")
    assert row.parent is UNSET
    assert row.kind is UNSET
    row = one("gso_code,tier,kind,name\n01,2,people-council,HĐND A")
    assert (row.kind, row.territory, row.parent) == ("people-council", "", UNSET)


def test_in_our_own_form_a_kind_is_a_kind_and_no_parent_is_a_root() -> None:
    row = one(OURS + "7,H22,A,2,people-committee,")
    assert (row.number, row.kind, row.parent) == (7, "people-committee", None)
    assert problems_of(OURS + "7,H22,A,2,xã,") == [(2, "kind", "sheet.kind", "xã")]


@pytest.mark.parametrize(
    ("written", "encoding"),
    [
        ("code,name\nH1,Xã A\n".encode("utf-16"), "UTF-16"),
        ("code,name\nH1,Xã A\n".encode("utf-16-le"), "UTF-16"),
        ("code,name\nH1,Xã A\n".encode("utf-16-be"), "UTF-16"),
        (b"code,name\nH1,X\xe3 T\xe2n Ti\xea\xecn\n", "windows-1258"),
        (b"code,name\nH1,Ph\xad\xeang \xa7\xe5ng \xb5\xb8\n", "TCVN3 (ABC)"),
        ("code,name\nH1,Café\n".encode("latin-1"), "windows-1252"),
    ],
)
def test_other_encodings_are_refused_by_name(written: bytes, encoding: str) -> None:
    with pytest.raises(InputError) as refused:
        read_sheet(written)
    assert refused.value.code == "sheet.encoding"
    assert refused.value.facts["encoding"] == encoding
    assert "UTF-8" in say(refused.value)[1]


def test_the_line_of_a_wrong_letter_is_told_far_into_a_file() -> None:
    written = b"code\n" + b"H1\n" * 9_000 + b"H\xe3\n"
    with pytest.raises(InputError) as refused:
        read_sheet(written)
    assert refused.value.facts["line"] == 9_002


def test_doubtful_codes_are_taken_and_told_malformed_ones_are_refused() -> None:
    listing = read("code,name\n000.1137.H53,A\n28.22.H17,B\n000.20.31.h53,C")
    assert [row.code for row in listing] == ["000.1137.H53", "28.22.H17", "000.20.31.H53"]
    assert listing.warnings == (
        SheetProblem(2, "code", "sheet.code_doubtful", "000.1137.H53"),
        SheetProblem(3, "code", "sheet.code_doubtful", "28.22.H17"),
    )
    assert problems_of("Mã,aliases\nH..1,\nH1,X:1 (2\n") == [
        (2, "Mã", "sheet.code", "H..1"),
        (3, "aliases", "sheet.code", "(2"),
    ]


def test_every_wrong_cell_is_told_with_its_row_and_column() -> None:
    heading = (
        "number,code,name,tier,kind,parent_number,valid_from,valid_to,code_synthesised,"
        "delivery_channel,delivery_paper,gso_code"
    )
    row = "-1,H 1,,9,Xã,x,yesterday,2020-13-01,maybe,push,ja,12x"
    assert problems_of(f"{heading}\n{row}") == [
        (2, "tier", "sheet.tier", "9"),
        (2, "gso_code", "sheet.gso_code", "12x"),
        (2, "code", "sheet.code", "H 1"),
        (2, "number", "sheet.number", "-1"),
        (2, "name", "sheet.required", "name"),
        (2, "kind", "sheet.kind", "Xã"),
        (2, "parent_number", "sheet.number", "x"),
        (2, "valid_from", "sheet.instant", "yesterday"),
        (2, "valid_to", "sheet.instant", "2020-13-01"),
        (2, "code_synthesised", "sheet.flag", "maybe"),
        (2, "delivery_channel", "sheet.text", "push"),
        (2, "delivery_paper", "sheet.flag", "ja"),
    ]


def test_every_problem_has_words_in_both_languages() -> None:
    for code in (code for code in TABLE if code.startswith("sheet.")):
        for language in ("en", "vi"):
            what, remedy = say_problem(SheetProblem(3, "name", code, "xyz"), language)
            assert what
            assert remedy


def test_dates_are_read_as_they_are_written_here() -> None:
    text = "code,valid_from,valid_to\nH1,01/07/2025,2025-07-02\nH2,2025-07-01T08:00:00+07:00,"
    first, second = read(text).rows
    assert (first.valid_from, first.valid_to) == (at(2025, 7, 1), at(2025, 7, 2))
    assert second.valid_from == at(2025, 7, 1) + 8 * 3_600 * 1_000_000
    assert second.valid_to is UNSET
    assert problems_of("code,valid_from,valid_to\nH1,2025-07-02,2025-07-01")[0][2] == "sheet.life"


def test_more_cells_than_headings_and_open_quotes_are_refused() -> None:
    assert problems_of("code,name\nH1,A,B") == [(2, "", "sheet.cells", "3")]
    assert len(read("code,name\nH1,A,,")) == 1
    with pytest.raises(InputError) as refused:
        read('code,name\nH1,"A\nH2,B')
    assert refused.value.code == "sheet.format"


@pytest.mark.parametrize("written", [b"", b"\n\n", b"\xef\xbb\xbf", b" , ,\n"])
def test_a_list_of_nothing_is_refused(written: bytes) -> None:
    with pytest.raises(InputError) as refused:
        read_sheet(written)
    assert refused.value.code == "sheet.empty"


def test_telling_mistakes_stops_at_the_bound() -> None:
    text = "code,tier\n" + "H1,9\n" * (limits.SHEET_PROBLEMS_MAX + 50)
    assert len(problems_of(text)) == limits.SHEET_PROBLEMS_MAX


def test_a_refusal_survives_pickling() -> None:
    error = SheetError("sheet.invalid", problems=(SheetProblem(2, "tier", "sheet.tier", "9"),))
    again = pickle.loads(pickle.dumps(error))
    assert (again.problems, again.code, again.facts) == (error.problems, error.code, error.facts)


class Endless(io.RawIOBase):
    """A list of a given number of rows that is made as it is read."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.made = -1

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self.made == self.rows:
            return b""
        self.made += 1
        return b"code,name,tier\n" if self.made == 0 else b"H1.%d,A,2\n" % self.made


def test_a_stream_is_refused_at_the_row_over_the_limit() -> None:
    assert len(read_sheet(Endless(500), rows_max=500)) == 500
    stream = Endless(10**9)
    with pytest.raises(TooLargeError) as refused:
        read_sheet(stream, rows_max=500)
    assert refused.value.code == "sheet.too_large"
    assert stream.made < 20_000


def test_a_file_over_the_limit_is_refused_before_any_row_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"code,tier\n" + b"H1,wrong\n" * 501)  # each row would be told
    with pytest.raises(TooLargeError):
        read_sheet(path, rows_max=500)


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(TooLargeError):
        read_sheet(b"code," + b"x" * 10_000_000)
    with pytest.raises(InputError):
        read_sheet(b'code\n"' + b"H\n" * 1_000_000)
    assert problems_of("code,name\nH1," + "x" * 5_000)[0][2] == "sheet.text"


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        read_sheet(tmp_path / "none.csv")
    assert refused.value.code == "sheet.format"


# Workbooks


def test_a_workbook_gives_back_the_zeros_of_codes_by_tier() -> None:
    written = workbook([
        ["STT", "Mã GSO", "Cấp", "Loại", "Tên", "Mã GSO cấp trên"],
        [1, 2, 2, "tỉnh", "Tỉnh A", None],
        [2, 24, "huyện", "huyện", "Huyện B", 2],
        [],
        [3, 688, 4.0, "xã", "Xã C", 24],
        [4, 24, 2, "tỉnh", "Tỉnh D", None],
    ])  # fmt: skip
    listing = read_sheet(written)
    assert [(row.gso, row.parent, row.line) for row in listing] == [
        ("GSO:02", UNSET, 2), ("GSO:024", "GSO:02", 3),
        ("GSO:00688", "GSO:024", 5), ("GSO:24", UNSET, 6),
    ]  # fmt: skip
    assert {problem.code for problem in listing.warnings} == {"sheet.zeros_restored"}


def test_a_number_for_a_code_is_reported_where_no_tier_tells_its_width() -> None:
    with pytest.raises(SheetError) as refused:
        read_sheet(workbook([["gso_code", "name"], [688, "Xã C"]]))
    assert refused.value.problems == (SheetProblem(2, "gso_code", "sheet.numeric_code", "688"),)
    with pytest.raises(SheetError) as refused:
        read_sheet(workbook([["code", "tier"], [101243150, 2]]))
    assert refused.value.problems[0].code == "sheet.numeric_code"


def test_a_workbook_gives_dates_flags_and_numbers() -> None:
    written = workbook([
        ["number", "code", "valid_from", "valid_to", "delivery_paper", "successors"],
        [12, "H22", date(2025, 7, 1), datetime(2026, 7, 1, 8), True, 13],
    ])  # fmt: skip
    (row,) = read_sheet(written).rows
    assert (row.number, row.valid_from, row.delivery) == (12, at(2025, 7, 1), {"paper": True})
    assert row.valid_to == at(2026, 7, 1) + 8 * 3_600 * 1_000_000
    assert row.successors == ("13",)


def test_a_workbook_is_read_by_the_name_of_its_sheet() -> None:
    written = workbook([["code"], ["H22"]])
    assert read_sheet(written, sheet="Sheet").rows[0].code == "H22"
    with pytest.raises(InputError) as refused:
        read_sheet(written, sheet="Other")
    assert refused.value.code == "sheet.format"


ODS = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content office:version="1.2"
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>
<table:table table:name="A"><table:table-row>
<table:table-cell office:value-type="string"><text:p>gso_code</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>tier</text:p></table:table-cell>
</table:table-row><table:table-row>
<table:table-cell office:value-type="float" office:value="688"><text:p>688</text:p>
</table:table-cell>
<table:table-cell office:value-type="string"><text:p>xã</text:p></table:table-cell>
</table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"""


MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">
<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>
</manifest:manifest>"""


def test_an_ods_is_read_too() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        archive.writestr("content.xml", ODS.replace("\n", ""))
    (row,) = read_sheet(written.getvalue()).rows
    assert (row.gso, row.tier) == ("GSO:00688", 4)


def test_a_workbook_over_the_limit_is_refused() -> None:
    written = workbook([["code"], *([f"H{n}"] for n in range(600))])
    with pytest.raises(TooLargeError):
        read_sheet(written, rows_max=400)
    with pytest.raises(TooLargeError):
        read_sheet(written, rows_max=599)
    assert len(read_sheet(written, rows_max=600)) == 600


def test_a_workbook_that_asks_for_all_memory_ends_only_its_reader() -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active["A1"] = "code"
    book.active.cell(1_048_576, 16_000).value = 1
    written = io.BytesIO()
    book.save(written)
    with pytest.raises(InputError) as refused:
        read_sheet(written.getvalue())
    assert refused.value.code == "sheet.format"


@pytest.mark.parametrize(
    "written",
    [
        b"PK\x03\x04",
        b"PK\x03\x04" + b"\0" * 5_000,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 999,
    ],
)
def test_a_damaged_workbook_is_refused(written: bytes) -> None:
    with pytest.raises(InputError) as refused:
        read_sheet(written)
    assert refused.value.code == "sheet.format"


def test_without_the_reader_of_workbooks_the_remedy_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(InputError) as refused:
        read_sheet(b"PK\x03\x04")
    assert refused.value.code == "sheet.reader_missing"
    assert "vanban-router[org]" in say(refused.value)[1]
