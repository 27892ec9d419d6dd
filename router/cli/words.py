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
    "written below": "đã ghi vào thư mục",
    "operator": "quản trị",
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
