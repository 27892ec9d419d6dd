"""The words of what can be wrong with a list of units, by code.

A code that names one place of a list (a
`SheetProblem`) fills `{reason}` only.
"""

from __future__ import annotations

from typing import Final

from router.messages.words import Words

_COLUMNS: Final = (
    "number, code, name, tier, kind, parent, parent_number, aliases, gso_code, parent_gso_code, "
    "tags, valid_from, valid_to, successors, code_synthesised, contact_address, "
    "contact_telephone, contact_fax, contact_email, contact_website, delivery_channel, "
    "delivery_paper"
)
_COLUMNS_EN: Final = f"Known columns: {_COLUMNS} (docs/directory.md)."
_COLUMNS_VI: Final = f"Các cột được dùng: {_COLUMNS} (docs/directory.md)."

# The two languages of a row stand side by side, so that they are kept alike.
# fmt: off
LISTS: Final[dict[str, Words]] = {
    "sheet.encoding": Words(
        "The list is not in UTF-8 (line {line}); it looks like {encoding}.",
        "Danh sách không phải UTF-8 (dòng {line}); có vẻ là {encoding}.",
        "Save it as “CSV UTF-8”, or give the Excel file itself.",
        "Lưu lại dạng “CSV UTF-8” hoặc dùng chính tệp Excel.",
    ),
    "sheet.format": Words(
        "The file can't be read as a list: {reason}.", "Không đọc được tệp danh sách: {reason}.",
        "Give CSV in UTF-8, or .xlsx, .xls, .ods without a password.",
        "Dùng CSV mã UTF-8 hoặc .xlsx, .xls, .ods không đặt mật khẩu.",
    ),
    "sheet.reader_missing": Words(
        "Excel and ODS files need a package that is not installed.",
        "Chưa cài gói phần mềm đọc tệp Excel và ODS.",
        "pip install 'vanban-router[org]', or save the list as CSV UTF-8.",
        "Chạy pip install 'vanban-router[org]' hoặc lưu danh sách dạng CSV UTF-8.",
    ),
    "sheet.empty": Words(
        "The list has no heading row.", "Danh sách không có dòng tiêu đề.",
        "Put the names of the columns in the first row.", "Ghi tên các cột ở dòng đầu tiên.",
    ),
    "sheet.too_large": Words(
        "The list is over its limit: {reason}.", "Danh sách vượt giới hạn: {reason}.",
        "Split the list, or check that it is the right file.",
        "Chia nhỏ danh sách hoặc kiểm tra lại tệp.",
    ),
    "sheet.columns": Words(
        "Mistakes in the heading row: {count}; the first: “{column}” ({reason}).",
        "Dòng tiêu đề có {count} lỗi; lỗi đầu: “{column}” ({reason}).",
        _COLUMNS_EN, _COLUMNS_VI,
    ),
    "sheet.column_unknown": Words(
        "No column is called so; the nearest is “{reason}”.",
        "Không có cột tên này; gần nhất là “{reason}”.",
        "Correct the heading, or remove the column.", "Sửa tiêu đề hoặc bỏ cột này.",
    ),
    "sheet.column_twice": Words(
        "The column “{reason}” stands twice.", "Cột “{reason}” xuất hiện hai lần.",
        "Remove one of the two.", "Bỏ một trong hai cột.",
    ),
    "sheet.column_missing": Words(
        "The list has none of the columns {reason}.", "Danh sách không có cột nào trong: {reason}.",
        "Add the column that says which unit a row is.",
        "Thêm cột xác định đơn vị của từng dòng.",
    ),
    "sheet.invalid": Words(
        "Mistakes in the list: {count}; the first: row {row}, column “{column}” ({reason}).",
        "Danh sách có {count} lỗi; lỗi đầu: dòng {row}, cột “{column}” ({reason}).",
        "Correct the cells named; nothing was taken over.",
        "Sửa các ô đã nêu; chưa có gì được ghi nhận.",
    ),
    "sheet.required": Words(
        "The cell is empty.", "Ô để trống.",
        "Fill it in: {reason}.", "Điền giá trị: {reason}.",
    ),
    "sheet.text": Words(
        "The text can't be taken: {reason}.", "Không nhận nội dung: {reason}.",
        "Shorten it, and remove control characters.", "Rút ngắn và bỏ ký tự điều khiển.",
    ),
    "sheet.number": Words(
        "Not a stable number that fits: {reason}.", "Số đơn vị không hợp lệ: {reason}.",
        "Copy the number from an export; leave it empty for a new unit.",
        "Chép số từ tệp xuất; để trống với đơn vị mới.",
    ),
    "sheet.code": Words(
        "“{reason}” has the form of no code.", "“{reason}” không đúng dạng mã nào.",
        "Write H22.31.20, 000.20.31.H22, GSO:00688 or SCHEME:value.",
        "Ghi dạng H22.31.20, 000.20.31.H22, GSO:00688 hoặc SCHEME:giá trị.",
    ),
    "sheet.gso_code": Words(
        "“{reason}” is not a GSO code of that tier.", "“{reason}” không phải mã GSO của cấp này.",
        "Write 2 digits for a province, 3 for a district, 5 for a commune.",
        "Ghi 2 chữ số cho tỉnh, 3 cho huyện, 5 cho xã.",
    ),
    "sheet.numeric_code": Words(
        "The code is kept as a number ({reason}); its leading zeros may be lost.",
        "Mã lưu dạng số ({reason}); có thể đã mất số 0 ở đầu.",
        "Format the column as text and write the code in full.",
        "Định dạng cột là văn bản và ghi đủ mã.",
    ),
    "sheet.zeros_restored": Words(
        "The code had lost its leading zeros; it is read as {reason}.",
        "Mã bị mất số 0 ở đầu; được hiểu là {reason}.",
        "Format the column as text.", "Định dạng cột là văn bản.",
    ),
    "sheet.code_doubtful": Words(
        "{reason} looks like the 13-character form with something missing; it is kept as it is.",
        "{reason} giống mã 13 ký tự bị thiếu; vẫn giữ nguyên.",
        "Check the code with its owner.", "Kiểm tra lại mã với đơn vị.",
    ),
    "sheet.tier": Words(
        "“{reason}” is no tier.", "“{reason}” không phải là cấp.",
        "Write 1 to 4, or central, province, district, commune.",
        "Ghi 1 đến 4, hoặc trung ương, tỉnh, huyện, xã.",
    ),
    "sheet.kind": Words(
        "“{reason}” is no kind of unit.", "“{reason}” không phải loại cơ quan.",
        "Write lower-case words joined by hyphens, e.g. people-committee.",
        "Ghi từ thường nối bằng gạch ngang, ví dụ people-committee.",
    ),
    "sheet.instant": Words(
        "“{reason}” is no date.", "“{reason}” không phải ngày.",
        "Write 2025-07-01, 01/07/2025 or 2025-07-01T00:00:00+07:00.",
        "Ghi 2025-07-01, 01/07/2025 hoặc 2025-07-01T00:00:00+07:00.",
    ),
    "sheet.life": Words(
        "The dates do not go together: {reason}.", "Các ngày không hợp lý: {reason}.",
        "A unit ends after it begins.", "Đơn vị kết thúc sau khi bắt đầu.",
    ),
    "sheet.before_parent": Words(
        "The unit begins before its parent: {reason}.",
        "Đơn vị bắt đầu trước đơn vị cấp trên: {reason}.",
        "Correct the date, or leave the date columns out of a first import.",
        "Sửa ngày, hoặc bỏ các cột ngày khi nhập lần đầu.",
    ),
    "sheet.flag": Words(
        "“{reason}” is neither yes nor no.", "“{reason}” không phải có hoặc không.",
        "Write true or false.", "Ghi true hoặc false.",
    ),
    "sheet.values": Words(
        "Too many values in one cell: {reason}.", "Quá nhiều giá trị trong một ô: {reason}.",
        "Shorten the cell.", "Rút gọn nội dung ô.",
    ),
    "sheet.cells": Words(
        "The row has {reason} cells, more than the heading row.",
        "Dòng có {reason} ô, nhiều hơn dòng tiêu đề.",
        "Put text that holds the delimiter in quotes.",
        "Đặt nội dung chứa dấu phân cách trong ngoặc kép.",
    ),
    "sheet.twice": Words(
        "The same unit stands in row {reason} too.", "Đơn vị này đã có ở dòng {reason}.",
        "Keep one of the two rows.", "Giữ lại một trong hai dòng.",
    ),
    "sheet.ambiguous": Words(
        "The codes of the row belong to two units: {reason}.",
        "Các mã trong dòng thuộc hai đơn vị: {reason}.",
        "Correct the codes, or give the stable number.", "Sửa mã hoặc ghi số đơn vị.",
    ),
    "sheet.parent": Words(
        "The parent can't be found or told: {reason}.",
        "Không xác định được đơn vị cấp trên: {reason}.",
        "Name a unit of the list or of the directory.",
        "Ghi mã một đơn vị có trong danh sách hoặc danh mục.",
    ),
    "sheet.parent_zeros": Words(
        "The parent's code may have lost zeros; it may be any of: {reason}.",
        "Mã đơn vị cấp trên có thể đã mất số 0 ở đầu; có thể là: {reason}.",
        "Write the code of the one that is meant with its scheme, e.g. GSO:024.",
        "Ghi đủ mã của đơn vị đúng kèm tiền tố, ví dụ GSO:024.",
    ),
    "sheet.successor": Words(
        "The successor can't be found: {reason}.", "Không tìm thấy đơn vị kế thừa: {reason}.",
        "Name a unit of the list or of the directory.",
        "Ghi mã một đơn vị có trong danh sách hoặc danh mục.",
    ),
    "sheet.closed_unit": Words(
        "The unit is closed at that date; the row is passed over.",
        "Đơn vị đã đóng tại thời điểm đó; bỏ qua dòng này.",
        "Leave the number empty to open a new unit.", "Để trống số đơn vị để mở đơn vị mới.",
    ),
    "sheet.fixed": Words(
        "{reason} can't be changed by a list.", "Không thể đổi {reason} bằng danh sách.",
        "Send a correction.", "Gửi yêu cầu đính chính.",
    ),
    "sheet.renumbered": Words(
        "Unit {reason}: both code and name differ from the directory's.",
        "Đơn vị {reason}: cả mã và tên đều khác danh mục.",
        "Check that the list was exported from this directory.",
        "Kiểm tra danh sách có được xuất từ danh mục này không.",
    ),
    "sheet.reused": Words(
        "{reason}: the code now stands for another unit.", "{reason}: mã nay chỉ đơn vị khác.",
        "Check who succeeds the old unit.", "Kiểm tra đơn vị kế thừa đơn vị cũ.",
    ),
    "sheet.below": Words(
        "{reason} stay open below a unit that closes, and are not in the list.",
        "{reason} vẫn hoạt động dưới đơn vị bị đóng và không có trong danh sách.",
        "Move or close them too.", "Chuyển hoặc đóng các đơn vị đó.",
    ),
    "sheet.incomplete": Words(
        "The list would close {reason} units.", "Danh sách sẽ đóng {reason} đơn vị.",
        "Check that the list is complete.", "Kiểm tra danh sách có đầy đủ không.",
    ),
}
# fmt: on
