"""Words about the sending policy, its holds and the working calendar."""

from __future__ import annotations

from typing import Final

from router.messages.words import Words

# The two languages of a row stand side by side, so that they are kept alike.
# fmt: off
POLICIES: Final[dict[str, Words]] = {
    "calendar.year_missing": Words(
        "The working calendar has no data for {year}.",
        "Lịch làm việc chưa có dữ liệu năm {year}.",
        "An operator brings the year: [calendar.years.{year}] in the policy file.",
        "Quản trị bổ sung năm này: [calendar.years.{year}] trong tệp chính sách.",
    ),
    "hold.not_approver": Words(
        "{unit} may not approve or deny the held part {hold}.",
        "{unit} không có quyền duyệt phần đang giữ {hold}.",
        "“vanban hold show {hold}” says who may.",
        "Dùng “vanban hold show {hold}” để biết đơn vị được duyệt.",
    ),
    "hold.not_found": Words(
        "There is no such held part, or it is not yours to see.",
        "Không có phần đang giữ này, hoặc không thuộc quyền xem của đơn vị.",
        "Take the id from “vanban hold list”: <document key>/<part>.",
        "Lấy mã từ “vanban hold list”: <khóa văn bản>/<phần>.",
    ),
    "hold.over": Words(
        "The held part {hold} is {state} already.",
        "Phần đang giữ {hold} đã kết thúc ({state}).",
        "Nothing is left to answer; the sender may send again.",
        "Không còn gì để duyệt; đơn vị gửi có thể gửi lại.",
    ),
    "policy.forbidden": Words(
        "The rule “{rule}” forbids this document: {reason}.",
        "Quy tắc “{rule}” không cho phép văn bản này: {reason}.",
        "Send it as the rule allows, or ask the operator.",
        "Gửi đúng theo quy tắc, hoặc hỏi quản trị.",
    ),
    "policy.in_force": Words(
        "Version {version} is the policy in force.", "Bản {version} đang có hiệu lực.",
        "Name another version: “vanban policy versions” lists them.",
        "Nêu bản khác: “vanban policy versions” liệt kê các bản.",
    ),
    "policy.nobody_left": Words(
        "The policy leaves none of the recipients ({count} addressed); deciding: “{rule}”.",
        "Chính sách loại tất cả nơi nhận ({count} nơi nhận); quy tắc: “{rule}”.",
        "Ask with “vanban policy who-may-receive” whom the sender may write to.",
        "Dùng “vanban policy who-may-receive” để biết được gửi cho ai.",
    ),
    "policy.none_before": Words(
        "The shipped policy is in force; there is none before it.",
        "Đang dùng chính sách kèm theo phần mềm; không có bản nào trước đó.",
        "Activate a policy, or name a version.", "Kích hoạt một chính sách hoặc nêu số bản.",
    ),
    "policy.not_found": Words(
        "No policy of version {version} was ever activated.",
        "Chưa từng kích hoạt chính sách bản {version}.",
        "“vanban policy versions” lists them.", "“vanban policy versions” liệt kê các bản.",
    ),
    "policy.requirement": Words(
        "The rule “{rule}” requires {wanted} good signature(s) by “{by}”; there are {found}.",
        "Quy tắc “{rule}” yêu cầu {wanted} chữ ký hợp lệ của “{by}”; hiện có {found}.",
        "Have it signed by those, and send again.", "Ký bổ sung rồi gửi lại.",
    ),
    "policy.rule_not_found": Words(
        "The policy has no rule “{rule}”.", "Chính sách không có quy tắc “{rule}”.",
        "“vanban policy show” prints the rules; the floor's begin with floor/.",
        "“vanban policy show” in các quy tắc; mức tối thiểu bắt đầu bằng floor/.",
    ),
    "policy.sender_not_then": Words(
        "The sender did not exist at the instant that the selector names, so the policy cannot "
        "say whom it may write to.",
        "Đơn vị gửi chưa tồn tại tại thời điểm nêu trong biểu thức nơi nhận nên không xét được "
        "chính sách.",
        "Name the recipients without “@ …”.", "Nêu nơi nhận không kèm “@ …”.",
    ),
    "policy.tests_failed": Words(
        "{count} test(s) of the policy fail, the first: “{test}”. {words}",
        "{count} phép thử của chính sách không đạt, đầu tiên: “{test}”. {words}",
        "Mend the rules or the tests; the running policy stays.",
        "Sửa quy tắc hoặc phép thử; chính sách đang chạy giữ nguyên.",
    ),
}
