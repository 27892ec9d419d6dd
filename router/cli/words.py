"""The words of tables and headings in Vietnamese, and numbers with their nouns.

Words of errors stand in `router/messages/`; help texts are in English.
"""

from __future__ import annotations

from typing import Final

from router.cli.output import language

NOTHING_WAITS: Final = (
    "Nothing waits in this inbox.  Letters handed out under a lease come back when it runs out "
    "(after 300 s unless --lease said otherwise)."
)
STAY_WHERE_THEY_ARE: Final = "Documents for them stay where they are until one is named."
_VIETNAMESE: Final[dict[str, str]] = {
    # outcomes and states
    "accepted": "đã tiếp nhận",
    "repeated": "đã có từ trước",
    "refused": "từ chối",
    "queued": "đang chờ",
    "leased": "đang giữ",
    "delivered": "đã nhận",
    "expired": "hết hạn",
    "(before already)": "(từ trước)",
    "NOT returned": "KHÔNG trả lại được",
    "NOT acknowledged": "KHÔNG xác nhận được",
    "it was acknowledged before": "văn bản đã được xác nhận trước đó",
    "it was returned before": "văn bản đã trả lại trước đó",
    "it ran out before": "lượt gửi đã hết hạn",
    # signing
    "signed": "đã ký",
    "signing": "đang ký",
    "signer": "người ký",
    "with one signature": "bằng một chữ ký",
    "one by one": "từng văn bản",
    "There is no .json file in it.": "Không có tệp .json nào.",
    "Two files would get one envelope.": "Hai tệp sẽ trùng tên gói tin.",
    "{} is there already; say --replace to write over it.": "Đã có {}; thêm --replace để ghi đè.",
    # held parts
    "held": "chờ duyệt",
    "released": "đã duyệt",
    "denied": "bị từ chối duyệt",
    "hold": "phần chờ duyệt",
    "rule": "quy tắc",
    "held part": "phần chờ duyệt",
    "held parts": "phần chờ duyệt",
    "No part of a document is held here.": "Không có phần văn bản nào đang chờ duyệt.",
    "expires": "hết hạn lúc",
    "waits for": "chờ",
    "Approvals": "Phê duyệt",
    "approvers": "người duyệt",
    "approved by": "đã duyệt bởi",
    "hold_expired": "hết hạn duyệt",
    "by": "bởi",
    # verdicts over signatures
    "verdict_valid": "chữ ký hợp lệ, đã gửi đi",
    "verdict_invalid": "chữ ký không hợp lệ, không gửi",
    "verdict_expired": "hết hạn chờ kiểm tra chữ ký",
    "signature": "chữ ký",
    "signatures": "chữ ký số",
    "policy": "chính sách",
    "since then": "từ đó đến nay",
    "certificate": "chứng thư",
    "not to be trusted since": "không còn tin cậy từ",
    "No daemon runs here: it fetches, when it runs, from the hosts that its settings name "
    "(revocation.allowed_hosts).": (
        "Dịch vụ không chạy; khi chạy, dịch vụ tải từ các máy chủ nêu trong cấu hình "
        "(revocation.allowed_hosts)."
    ),
    "Compare a root's SHA-256 with what the CA publishes: nothing else vouches for it.": (
        "Đối chiếu SHA-256 của CA gốc với giá trị do CA công bố: không có gì khác bảo đảm."
    ),
    "Documents below it wait until a list of revoked certificates has come: "
    "vanban trust crl list": (
        "Văn bản dùng chứng thư do nó cấp phải chờ đến khi có danh sách thu hồi: "
        "vanban trust crl list"
    ),
    "speak for units": "ký thay đơn vị",
    "bound certificate": "chứng thư đã gắn",
    "bound certificates": "chứng thư đã gắn",
    "the verdict stands": "kết quả kiểm tra giữ nguyên",
    "another document has its number and notation": "một văn bản khác có cùng số, ký hiệu",
    "sent after its deadline for sending": "gửi sau hạn gửi",
    "no deadline is set: the working calendar lacks the year": (
        "chưa đặt hạn: lịch làm việc chưa có năm này"
    ),
    "No document is concerned by a later revocation.": (
        "Không có văn bản nào liên quan đến chứng thư bị thu hồi sau đó."
    ),
    # refusals kept as evidence
    "Refusals kept as evidence": "Lần từ chối được giữ làm chứng cứ",
    "refused at": "từ chối lúc",
    "Nothing is kept after this.": "Sau mốc này không giữ gì.",
    "disk": "ổ đĩa",
    "no documents are taken": "tạm ngừng nhận văn bản",
    "free": "còn trống",
    "reserve": "dự trữ",
    # tiers and lanes
    "central": "trung ương",
    "province": "tỉnh",
    "district": "huyện",
    "commune": "xã",
    "flash": "hỏa tốc",
    "very_urgent": "thượng khẩn",
    "urgent": "khẩn",
    "normal": "thường",
    # columns
    "tier": "cấp",
    "all": "tất cả",
    "unit": "đơn vị",
    "name": "tên",
    "state": "trạng thái",
    "since": "từ lúc",
    "attempts": "số lần",
    "reason": "lý do",
    "delivery": "lượt gửi",
    "document": "văn bản",
    "lane": "luồng",
    "subject": "trích yếu",
    "code": "mã",
    "kind": "loại",
    # rights
    "right": "quyền",
    "rights": "quyền",
    "holder": "người có quyền",
    "actions": "việc được làm",
    "granted by": "người cấp",
    "token": "mã truy cập",
    "revoked": "đã thu hồi",
    # headings
    "recipient": "nơi nhận",
    "recipients": "nơi nhận",
    "units": "đơn vị",
    "deliveries": "lượt gửi",
    "documents": "văn bản",
    "Deliveries": "Lượt gửi",
    "of": "trên",
    "next": "tiếp theo",
    "key": "khóa",
    "at": "lúc",
    "yours until": "giữ đến",
    "the first {} shown": "hiện {} đơn vị đầu",
    "the first {} lines; all with --all": "{} dòng đầu; xem hết bằng --all",
    "written below": "đã ghi vào thư mục",
    "operator": "quản trị",
    # the directory
    "what": "nội dung",
    "count": "số lượng",
    "field": "trường",
    "value": "giá trị",
    "number": "số hiệu",
    "aliases": "mã khác",
    "below": "trực thuộc",
    "directly below it": "đơn vị trực thuộc",
    "tags": "nhãn",
    "valid from": "từ ngày",
    "valid to": "đến ngày",
    "successors": "đơn vị kế thừa",
    "answers for it": "đơn vị nhận thay",
    "predecessors": "đơn vị tiền thân",
    "contact": "liên hệ",
    "synthesised": "mã tự lập",
    "open": "đang hoạt động",
    "closed": "đã chấm dứt hoạt động",
    "not-yet-open": "chưa hoạt động",
    "unknown: name one with a correction": "chưa rõ: chỉ định bằng một bản đính chính",
    "The directory at": "Danh mục tại",
    "as known at": "theo hiểu biết tại",
    "open units": "đơn vị đang hoạt động",
    "units ever": "đơn vị từ trước đến nay",
    "closed, successor unknown": "đã đóng, chưa rõ đơn vị kế thừa",
    "groups": "nhóm",
    "changes": "thay đổi",
    "last change": "thay đổi gần nhất",
    "closed from": "chấm dứt hoạt động từ",
    "known at": "biết lúc",
    "form": "hình thức",
    "import": "nhập",
    "reorganisation": "sắp xếp",
    "correction": "đính chính",
    "group": "nhóm",
    "takes effect": "hiệu lực",
    "fact": "dữ kiện",
    "facts": "dữ kiện",
    "title": "căn cứ",
    "sequence": "thứ tự",
    "until": "đến lúc",
    "says": "nói về",
    "as it stood": "khi đó",
    "opens": "mở",
    "closes": "đóng",
    "parent": "cấp trên",
    "codes": "mã",
    "details": "chi tiết",
    "change of the directory": "thay đổi danh mục",
    "changes of the directory": "thay đổi danh mục",
    "Writing": "Đang ghi",
    "written to": "đã ghi vào",
    "finding": "điểm cần xem",
    "findings": "điểm cần xem",
    "Nothing to be done.": "Không có gì cần xử lý.",
    # lists
    "Reading {}": "Đang đọc {}",
    "Apply it?": "Áp dụng?",
    "Nothing is applied yet.": "Chưa áp dụng gì.",
    "{} is written when the change is applied.": "{} được ghi khi thay đổi được áp dụng.",
    "Apply it with": "Áp dụng bằng lệnh",
    "row": "dòng",
    "column": "cột",
    "a complete list": "danh sách đầy đủ",
    "a partial list": "danh sách một phần",
    "as of": "tại ngày",
    "Applied": "Đã áp dụng",
    "imported": "đã nhập",
    "sequence of the directory": "thứ tự của danh mục",
    "{} closed, successor unknown.": "{} chấm dứt hoạt động, chưa rõ đơn vị kế thừa.",
    STAY_WHERE_THEY_ARE: "Văn bản gửi các đơn vị này nằm yên cho đến khi được chỉ định.",
    "Fill in “successors” in": "Điền “successors” trong",
    "then": "rồi chạy",
    "Write successors.json, e.g.": "Ghi tệp successors.json, ví dụ",
    "all that is to be named": "mọi đơn vị cần chỉ định",
    "All of it is known already: nothing changes.": "Đã biết tất cả: không có thay đổi.",
    # the queue and its files
    "queue": "hàng đợi",
    "dead": "quá số lần giao",
    "withdrawn": "đã thu hồi",
    "excluded": "bị loại",
    "waiting": "chờ xác minh",
    "waiting for the check of the signature; see:": "nơi nhận chờ kiểm tra chữ ký số; xem:",
    "hand-outs": "số lần giao",
    "last record": "bản ghi cuối",
    "epoch": "lần mở",
    "log": "nhật ký",
    "used of": "đã dùng trong",
    "in memory only": "chỉ trong bộ nhớ",
    "not in LMDB yet": "chưa vào LMDB",
    "waits longest": "chờ lâu nhất",
    "restored": "đã khôi phục",
    "from": "từ bản sao lưu",
    "The queue at": "Hàng đợi lúc",
    "nothing": "không có",
    "record": "bản ghi",
    "records": "bản ghi",
    "the oldest of": "cũ nhất từ",
    "not found yet: ask again": "chưa tìm thấy: hãy hỏi lại",
    "done": "đã xong",
    "History": "Lịch sử",
    "actor": "người thực hiện",
    "Counting": "Đang đếm",
    "destination": "nơi nhận",
    "destinations": "nơi nhận",
    "minutes waited at": "số phút đã chờ lúc",
    "More is open than is counted at once: see --within.": (
        "Số lượt đang mở vượt mức đếm một lần: xem --within."
    ),
    "Copying": "Đang sao chép",
    "Checking": "Đang kiểm tra",
    "Backup made and verified": "Đã sao lưu và kiểm tra",
    "Restored and verified": "Đã khôi phục và kiểm tra",
    "What was open then may have been handed out since: it comes again.": (
        "Lượt gửi còn mở khi sao lưu có thể đã được giao sau đó: nay được giao lại."
    ),
    "size": "dung lượng",
    "All well": "Mọi thứ đều tốt",
    "thing is wrong": "điểm sai",
    "things are wrong": "điểm sai",
    "→ Restore the last backup; keep this directory for analysis.": (
        "→ Khôi phục bản sao lưu gần nhất; giữ thư mục này để phân tích."
    ),
    "This data directory is of an older format: it is rewritten now, and the old files stay in "
    "store-format-1/.": (
        "Thư mục dữ liệu ở định dạng cũ: dữ liệu được ghi lại ngay bây giờ, tệp cũ giữ trong "
        "store-format-1/."
    ),
    # what senders are told, and what operators queue again
    "redirected": "chuyển đơn vị nhận thay",
    "event": "thông báo",
    "events": "thông báo",
    "still open": "còn chờ",
    "there are more": "còn nữa",
    "Nothing is told after this.": "Sau mốc này không có thông báo nào.",
    "delivery queued again": "lượt gửi được đưa lại vào hàng đợi",
    "deliveries queued again": "lượt gửi được đưa lại vào hàng đợi",
    "Nothing of it is dead.": "Không có lượt gửi nào bị dừng hẳn.",
    # trust
    "trusted": "tin cậy",
    "root": "CA gốc",
    "intermediate": "CA trung gian",
    "no longer trusted": "không còn tin cậy",
    "Nobody is trusted yet: vanban trust add": "Chưa tin cậy CA nào: vanban trust add",
    "not-yet": "chưa đến hạn",
    "in-force": "đang có hiệu lực",
    "required": "phải kiểm tra",
    "not checked": "không kiểm tra",
    "authority": "CA",
    "authorities": "CA",
    "generation": "thế hệ",
    "revocation": "thu hồi",
    "fresh": "còn hạn",
    "grace": "quá hạn, trong thời gian gia hạn",
    "missing": "chưa có",
    "not_checked": "không kiểm tra",
    "taken in": "đã nhận",
    "entry": "mục",
    "entries": "mục",
    "fresh until": "còn hạn đến",
    "serves until": "dùng được đến",
    "bound": "đã gắn",
    "bound to": "đã gắn với",
    "leads to no root": "không dẫn tới CA gốc nào",
    "purposes": "mục đích",
    "time stamps": "dấu thời gian",
    "all of them": "tất cả",
    "issuer": "nơi cấp",
    "signed by": "được ký bởi",
    "serial": "số sê-ri",
    "valid": "có hạn",
    "recorded": "ghi lúc",
    "error": "lỗi",
    "note": "ghi chú",
    "would not be accepted": "sẽ không được chấp nhận",
    "is trusted here already as": "đã được tin cậy ở đây là",
    "would be trusted as": "sẽ được tin cậy là",
    "leads to a root": "dẫn tới CA gốc",
    "nobody": "không có đơn vị nào",
    "speaks for": "ký thay cho",
    "binding": "ràng buộc",
    "bindings": "ràng buộc",
    # groups and audiences
    "selector": "biểu thức",
    "depends on the sender": "tùy đơn vị gửi",
    "defined, but it fails now": "đã định nghĩa, nhưng hiện có lỗi",
    "It is not defined at this date.": "Nhóm không được định nghĩa tại thời điểm này.",
    "Definitions": "Các định nghĩa",
    "(ended)": "(đã chấm dứt)",
    "ended": "đã chấm dứt",
    "from the beginning": "từ đầu",
    "is among them": "có trong nơi nhận",
    # policies
    "Testing": "Đang thử",
    "Comparing": "Đang so sánh",
    "Activate it?": "Kích hoạt?",
    "Nothing is activated yet.": "Chưa kích hoạt gì.",
    "Activate it with": "Kích hoạt bằng",
    "In force, version": "Đang có hiệu lực, bản",
    "(as in version {})": "(như bản {})",
    "The shipped policy: everybody may write to everybody, over the floor.": (
        "Chính sách kèm theo phần mềm: mọi đơn vị gửi được cho nhau, trên mức tối thiểu theo luật."
    ),
    "No policy was ever activated: the shipped one is in force.": (
        "Chưa kích hoạt chính sách nào: đang dùng chính sách kèm theo phần mềm."
    ),
    "test failed": "phép thử không đạt",
    "tests passed": "phép thử đạt",
    "could be activated": "kích hoạt được",
    "is wrong": "có lỗi",
    "rules": "quy tắc",
    "warning": "cảnh báo",
    "warnings": "cảnh báo",
    "version": "bản",
    "versions": "bản",
    "in force": "hiệu lực",
    "activated": "kích hoạt lúc",
    "WITHOUT THE FLOOR": "KHÔNG CÓ MỨC TỐI THIỂU",
    "policy version": "chính sách bản",
    "against version": "so với bản",
    "unchanged": "không đổi",
    "What changes": "Những thay đổi",
    "example": "ví dụ",
    "… and {} more": "… và {} nữa",
    "{}, was {}": "{}, trước {}",
    "not a recipient": "không phải nơi nhận",
    "added": "được thêm",
    "another deadline": "hạn báo nhận khác",
    "another send by": "hạn gửi khác",
    "another retention years": "số năm lưu khác",
    "another information only": "khác về “chỉ để biết”",
    "calendar": "lịch làm việc thiếu năm",
    "unsigned": "không có chữ ký",
    "forbidden": "bị cấm",
    "requirement": "thiếu chữ ký",
    "nobody left": "không còn nơi nhận",
    "sender not then": "đơn vị gửi khi đó chưa có",
    "pair of units": "cặp đơn vị",
    "pairs of units": "cặp đơn vị",
    "sender": "đơn vị gửi",
    "senders": "đơn vị gửi",
    "pairs": "số cặp",
    "whatever it asks of documents, audiences and times": (
        "chưa kể điều kiện về văn bản, nơi nhận và thời gian"
    ),
    "By class": "Theo cấp và loại",
    "sent by": "bên gửi",
    "sent to": "bên nhận",
    "who may receive from": "được nhận từ",
    "who may send to": "được gửi cho",
    "allowed": "được phép",
    "Depends on the document or the audience, so not counted in": (
        "Tùy văn bản hoặc nơi nhận nên chưa tính"
    ),
    "deadline": "hạn báo nhận",
    "send_by": "hạn gửi",
    "retention_years": "số năm lưu",
    "information_only": "chỉ để biết",
    "is not among them": "không có trong nơi nhận",
    "The directory changed meanwhile; ask again.": "Danh mục vừa thay đổi; hãy hỏi lại.",
    NOTHING_WAITS: (
        "Không có văn bản nào đang chờ trong hộp thư này.  Văn bản đang được giữ sẽ trở lại khi "
        "hết thời gian giữ (300 giây nếu không đặt --lease)."
    ),
}


def word(text: str) -> str:
    """Return a word in the reader's language; one that the table lacks stays as it is."""
    return _VIETNAMESE.get(text, text) if language() == "vi" else text


def column(name: str) -> str:
    """Return a column's heading in the reader's language; its mark (# or ~) stays."""
    bare = name.lstrip("#~")
    return name[: len(name) - len(bare)] + word(bare)


def count(number: int, one: str, many: str) -> str:
    """Return a number with its noun: "1 unit", "2 units"."""
    return f"{number:,} {word(one if number == 1 else many)}"
