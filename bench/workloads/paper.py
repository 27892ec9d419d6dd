"""What a province's documents look like: the 29 kinds of NĐ 30/2020, subjects, notations."""

from __future__ import annotations

from typing import Final, NamedTuple

from router.model.units import Unit
from vanban_bench.workloads.sample_directory import DISTRICT


class Kind(NamedTuple):
    """A kind of administrative document: name, abbreviation ("" for công văn), subject."""

    name: str
    abbreviation: str
    subject: str


KINDS: Final[tuple[Kind, ...]] = (
    Kind("Nghị quyết", "NQ", "Về {topic}"),
    Kind("Quyết định", "QĐ", "Về việc phê duyệt kế hoạch {topic}"),
    Kind("Chỉ thị", "CT", "Về tăng cường {topic}"),
    Kind("Quy chế", "QC", "Phối hợp trong công tác {topic}"),
    Kind("Quy định", "QyĐ", "Về trách nhiệm trong {topic}"),
    Kind("Thông cáo", "TC", "Về kết quả {topic}"),
    Kind("Thông báo", "TB", "Kết luận cuộc họp về {topic}"),
    Kind("Hướng dẫn", "HD", "Thực hiện {topic}"),
    Kind("Chương trình", "CTr", "Công tác {topic} năm 2024"),
    Kind("Kế hoạch", "KH", "Triển khai {topic} năm 2024"),
    Kind("Phương án", "PA", "Bảo đảm {topic}"),
    Kind("Đề án", "ĐA", "Nâng cao hiệu quả {topic} giai đoạn 2024 - 2030"),
    Kind("Dự án", "DA", "Đầu tư phục vụ {topic}"),
    Kind("Báo cáo", "BC", "Kết quả {topic} tháng 8 năm 2024"),
    Kind("Biên bản", "BB", "Làm việc về {topic}"),
    Kind("Tờ trình", "TTr", "Về việc đề nghị bổ sung kinh phí {topic}"),
    Kind("Hợp đồng", "HĐ", "Cung cấp dịch vụ phục vụ {topic}"),
    Kind("Công văn", "", "V/v {topic}"),
    Kind("Công điện", "CĐ", "Về việc khẩn trương {topic}"),
    Kind("Bản ghi nhớ", "BGN", "Về hợp tác {topic}"),
    Kind("Bản thỏa thuận", "BTT", "Về phối hợp {topic}"),
    Kind("Giấy ủy quyền", "GUQ", "Giải quyết công việc {topic}"),
    Kind("Giấy mời", "GM", "Họp bàn về {topic}"),
    Kind("Giấy giới thiệu", "GGT", "Cử cán bộ liên hệ công tác {topic}"),
    Kind("Giấy nghỉ phép", "GNP", "Nghỉ phép của công chức phụ trách {topic}"),
    Kind("Phiếu gửi", "PG", "Tài liệu {topic}"),
    Kind("Phiếu chuyển", "PC", "Đơn kiến nghị về {topic}"),
    Kind("Phiếu báo", "PB", "Kết quả xử lý hồ sơ {topic}"),
    Kind("Thư công", "", "Cảm ơn các đơn vị đã {topic}"),
)
"""The 29 kinds of Art. 7 with the abbreviations of Appendix III."""

WEIGHTS: Final = tuple(
    {
        "Công văn": 40,
        "Quyết định": 14,
        "Báo cáo": 12,
        "Thông báo": 8,
        "Kế hoạch": 8,
        "Giấy mời": 6,
        "Tờ trình": 5,
    }.get(kind.name, 1)
    for kind in KINDS
)

TOPICS: Final = (
    "phòng, chống thiên tai và tìm kiếm cứu nạn",
    "chuyển đổi số trong cơ quan nhà nước",
    "cải cách thủ tục hành chính",
    "xây dựng nông thôn mới",
    "giảm nghèo bền vững",
    "phòng cháy, chữa cháy rừng",
    "chuẩn bị năm học 2024 - 2025",
    "tiêm chủng mở rộng",
    "quản lý đất đai, khoáng sản",
    "giải ngân vốn đầu tư công",
    "khắc phục hậu quả mưa lũ",
    "an toàn thực phẩm dịp Tết Trung thu",
    "phát triển du lịch Cao nguyên đá Đồng Văn",
    "tiếp công dân, giải quyết khiếu nại, tố cáo",
    "rà soát hộ nghèo, hộ cận nghèo",
    "bảo đảm trật tự an toàn giao thông",
    "liên thông văn bản điện tử",
    "phòng, chống dịch tả lợn châu Phi",
    "tuyên truyền, phổ biến giáo dục pháp luật",
    "thu thập thông tin cung, cầu lao động",
)

FIELDS: Final = ("VP", "NC", "KT", "VX", "TH", "NN")
"""Drafting units in the notation of a công văn (`7816/VPCP-TTĐT`)."""


def agency_of(unit: Unit) -> str:
    """Return the agency's abbreviation in a notation: STC, PNV, UBND, VPCP, BTC."""
    for tag in unit.tags:
        if tag.startswith("abbreviation:"):
            return tag.removeprefix("abbreviation:")
    if unit.kind == "people-committee":
        return "UBND"
    if unit.kind == "government-office":
        return "VPCP"
    letters = [word[0] for word in unit.name.replace(",", "").split() if word[0].isalpha()]
    return "".join(letters).upper()[:12]


def notation_of(kind: Kind, unit: Unit, field: str) -> str:
    """Return the ký hiệu: KIND-AGENCY, or AGENCY-FIELD for a kind without abbreviation."""
    agency = agency_of(unit)
    if kind.abbreviation:
        return f"{kind.abbreviation}-{agency}"
    return f"{agency}-{'VP' if unit.tier > DISTRICT else field}"
