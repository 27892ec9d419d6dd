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
    "hold.waiting": Words(
        "The document of the held part {hold} still waits for the verdict over its signatures.",
        "Văn bản của phần đang giữ {hold} còn chờ kết quả kiểm tra chữ ký số.",
        "Answer once it is held; “vanban verify” says what is missing.",
        "Duyệt khi phần này ở trạng thái chờ duyệt; dùng “vanban verify” để biết còn thiếu gì.",
    ),
    "policy.allow_and_forbid": Words(
        "The rule both allows and forbids the same recipients.",
        "Quy tắc vừa cho phép vừa cấm cùng nơi nhận.",
        "Forbidding wins; take one of the two out.", "Cấm luôn được ưu tiên; bỏ một trong hai.",
    ),
    "policy.dated_selector": Words(
        "A policy's selector names an instant (@ {at}).",
        "Biểu thức trong chính sách nêu thời điểm (@ {at}).",
        "Take it out; a test says “at”, a rule “when”.",
        "Bỏ phần này; phép thử dùng “at”, quy tắc dùng “when”.",
    ),
    "policy.dates_reversed": Words(
        "“from” {since} comes after “until” {until}.",
        "“from” {since} sau “until” {until}.",
        "Exchange the two dates.", "Đổi chỗ hai ngày.",
    ),
    "policy.day_elsewhere": Words(
        "{day} does not lie in {year}.",
        "Ngày {day} không thuộc năm {year}.",
        "Write it under its own year.", "Ghi vào đúng năm của ngày đó.",
    ),
    "policy.duplicate_name": Words(
        "The name “{name}” is borne by {first} already.",
        "Tên “{name}” đã dùng ở {first}.",
        "Give each its own name.", "Đặt tên riêng cho mỗi mục.",
    ),
    "policy.empty": Words(
        "“{key}” says nothing.",
        "“{key}” không nêu gì.",
        "Say something in it, or take it out.", "Nêu giá trị, hoặc bỏ khóa này.",
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
    "policy.format": Words(
        "The file's format is {found}; this version reads {known}.",
        "Định dạng tệp là {found}; phiên bản này đọc {known}.",
        "Write format = {known}.", "Ghi format = {known}.",
    ),
    "policy.group_hollow": Words(
        "The group “{name}” names {unit}, which is not open: it counts as nobody.",
        "Nhóm “{name}” nêu {unit} là đơn vị không hoạt động; phần này không chọn ai.",
        "Have the operator define the group anew (“vanban group define”).",
        "Đề nghị quản trị định nghĩa lại nhóm (“vanban group define”).",
    ),
    "policy.hours": Words(
        "The working hours {hours} end before they begin, or begin before {after} ends.",
        "Giờ làm việc {hours} kết thúc trước khi bắt đầu, hoặc bắt đầu trước khi {after} kết thúc.",
        "Write them in the order of the day.", "Ghi theo thứ tự trong ngày.",
    ),
    "policy.impossible": Words(
        "Nothing can meet this condition: {reason}.",
        "Không gì thỏa được điều kiện này: {reason}.",
        "Mend the condition.", "Sửa điều kiện.",
    ),
    "policy.invalid_value": Words(
        "“{key}” can't have this value; it may be: {expected}.",
        "“{key}” không nhận giá trị này; được dùng: {expected}.",
        "Write one of these.", "Dùng một trong các giá trị trên.",
    ),
    "policy.missing_key": Words(
        "The key “{key}” is missing: {expected}.",
        "Thiếu khóa “{key}”: {expected}.",
        "Add it.", "Bổ sung khóa này.",
    ),
    "policy.no_approvers": Words(
        "No sender has an approver beside itself: {approvers}.",
        "Không đơn vị gửi nào có người phê duyệt khác chính mình: {approvers}.",
        "Name others as approvers.", "Nêu đơn vị phê duyệt khác.",
    ),
    "policy.no_weekend_day": Words(
        "{day} is no Saturday or Sunday: it is worked anyhow.",
        "{day} không phải thứ Bảy hay Chủ nhật nên vốn là ngày làm việc.",
        "Take it out of working_days.", "Bỏ khỏi working_days.",
    ),
    "policy.nobody_left": Words(
        "The policy leaves none of the recipients ({count} addressed); deciding: “{rule}”.",
        "Chính sách loại tất cả nơi nhận ({count} nơi nhận); quy tắc: “{rule}”.",
        "Ask with “vanban policy who-may-receive” whom the sender may write to.",
        "Dùng “vanban policy who-may-receive” để biết được gửi cho ai.",
    ),
    "policy.nobody_today": Words(
        "“{selector}” selects nobody today: a tier or kind has no unit now.",
        "“{selector}” hiện không chọn đơn vị nào: cấp hoặc loại không còn đơn vị.",
        "Keep it for other days, or take the rule out.",
        "Giữ lại cho thời điểm khác, hoặc bỏ quy tắc.",
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
    "policy.reserved_name": Words(
        "The name “{name}” begins as the law's floor does.",
        "Tên “{name}” trùng tiền tố của mức tối thiểu theo luật.",
        "Choose a name without “floor/”.", "Chọn tên không có “floor/”.",
    ),
    "policy.rule_never_matches": Words(
        "The rule can't match today: {reason}.",
        "Hiện quy tắc không thể áp dụng: {reason}.",
        "Mend it, or take it out.", "Sửa hoặc bỏ quy tắc.",
    ),
    "policy.rule_repeated": Words(
        "The rule says the same as “{other}”.",
        "Quy tắc trùng với “{other}”.",
        "Take one of them out.", "Bỏ một trong hai.",
    ),
    "policy.rule_shadowed": Words(
        "The rule has no effect: “{other}” forbids all that it speaks of.",
        "Quy tắc không có tác dụng: “{other}” cấm tất cả phạm vi của nó.",
        "Narrow the prohibition, or take the rule out.",
        "Thu hẹp quy tắc cấm, hoặc bỏ quy tắc này.",
    ),
    "policy.rule_without_effect": Words(
        "The rule changes nothing: {reason}.",
        "Quy tắc không thay đổi gì: {reason}.",
        "Take it out, or mend it.", "Bỏ hoặc sửa quy tắc.",
    ),
    "policy.rules_contradict": Words(
        "“{other}” forbids, under the same conditions, some of whom this rule allows.",
        "Với cùng điều kiện, “{other}” cấm một phần nơi nhận mà quy tắc này cho phép.",
        "Forbidding wins; say so by narrower recipients.",
        "Cấm luôn được ưu tiên; nên thu hẹp phạm vi nơi nhận.",
    ),
    "policy.sender_in_senders": Words(
        "“senders” can't speak of the sender (character {position}): it says who that is.",
        "“senders” không được nhắc đến sender (ký tự {position}) vì nó xác định đơn vị gửi.",
        "Name units, kinds, tiers or groups.", "Nêu đơn vị, loại, cấp hoặc nhóm.",
    ),
    "policy.sender_not_then": Words(
        "The sender did not exist at the instant that the selector names, so the policy cannot "
        "say whom it may write to.",
        "Đơn vị gửi chưa tồn tại tại thời điểm nêu trong biểu thức nơi nhận nên không xét được "
        "chính sách.",
        "Name the recipients without “@ …”.", "Nêu nơi nhận không kèm “@ …”.",
    ),
    "policy.syntax": Words(
        "The file is no TOML in UTF-8: {reason}.",
        "Tệp không đúng TOML mã UTF-8: {reason}.",
        "Correct the line named.", "Sửa dòng đã nêu.",
    ),
    "policy.test_failed": Words(
        "The test “{test}” fails. {words}",
        "Phép thử “{test}” không đạt. {words}",
        "Mend the rules or the test.", "Sửa quy tắc hoặc phép thử.",
    ),
    "policy.test_units": Words(
        "A test that expects “{expect}” names its units with “add”, and none with “refuse”.",
        "Phép thử “{expect}” phải nêu units khi là “add”, không nêu khi là “refuse”.",
        "Add “units”, or take it out.", "Bổ sung hoặc bỏ “units”.",
    ),
    "policy.tests_failed": Words(
        "{count} test(s) of the policy fail, the first: “{test}”. {words}",
        "{count} phép thử của chính sách không đạt, đầu tiên: “{test}”. {words}",
        "Mend the rules or the tests; the running policy stays.",
        "Sửa quy tắc hoặc phép thử; chính sách đang chạy giữ nguyên.",
    ),
    "policy.too_complex": Words(
        "The sets of the rules up to this one have more than {limit} runs of units.",
        "Tập đơn vị của các quy tắc đến quy tắc này vượt {limit} đoạn liên tiếp.",
        "Select by tier, kind or branch instead of single units; join rules that do the same.",
        "Chọn theo cấp, loại hoặc nhánh thay cho từng đơn vị; gộp các quy tắc giống nhau.",
    ),
    "policy.too_large": Words(
        "The policy file is over {limit} bytes.",
        "Tệp chính sách vượt {limit} byte.",
        "Name groups instead of lists; drop rules that are over.",
        "Dùng nhóm thay cho danh sách; bỏ quy tắc hết hiệu lực.",
    ),
    "policy.unknown_key": Words(
        "There is no key “{key}” here; there are: {known}.",
        "Ở đây không có khóa “{key}”; có: {known}.",
        "See docs/policy.md.", "Xem docs/policy.md.",
    ),
    "policy.unknown_rule": Words(
        "There is no rule “{name}”.",
        "Không có quy tắc “{name}”.",
        "Name a rule of this file or of the floor.",
        "Nêu quy tắc của tệp này hoặc của mức tối thiểu.",
    ),
    "policy.without_floor": Words(
        "The law's floor is left out: {reason}.",
        "Mức tối thiểu theo luật không áp dụng: {reason}.",
        "Leave “without_floor” out, or be sure of the reason.",
        "Bỏ “without_floor”, hoặc chắc chắn về lý do.",
    ),
    "policy.year_missing": Words(
        "The working calendar lacks {year}, which rules will need.",
        "Lịch làm việc chưa có năm {year} mà các quy tắc sẽ cần.",
        "Bring the year: [calendar.years.{year}].", "Bổ sung [calendar.years.{year}].",
    ),
    "quarantine.not_found": Words(
        "No refusal {id} is kept as evidence.",
        "Không giữ lần từ chối nào có số {id}.",
        "“vanban quarantine list” names those that are.",
        "Dùng “vanban quarantine list” để xem những lần được giữ.",
    ),
}
