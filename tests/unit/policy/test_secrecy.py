"""A state secret is recognised however its mark is written, and nothing else is taken for one."""

import unicodedata
from datetime import datetime

import pytest

from router.model.documents import Attachment, Document
from router.model.instants import VIETNAM_TIME
from router.policy import carries_secrecy_mark


def document(
    subject: str = "Về việc họp", marks: tuple[str, ...] = (), kind: str = "Quyết định",
    files: tuple[str, ...] = (),
) -> Document:  # fmt: skip
    return Document(
        format=1,
        sender="H22",
        document_id="x",
        number="05",
        notation="QĐ-UBND",
        document_type=kind,
        subject=subject,
        issued_at=datetime(2024, 9, 4, tzinfo=VIETNAM_TIME),
        recipients="all",
        marks=marks,
        attachments=tuple(Attachment(name, "application/pdf", 1, "0" * 64) for name in files),
    )


@pytest.mark.parametrize(
    "mark",
    ["Mật", "TỐI MẬT", "Tuyệt mật", "tuyet-mat", "toi_mat", " mật ", "“Mật”", "Top Secret",
     unicodedata.normalize("NFD", "Tối Mật"), "ĐỘ MẬT"],
)  # fmt: skip
def test_every_spelling_of_a_secrecy_mark_is_found(mark: str) -> None:
    assert carries_secrecy_mark(document(marks=("LƯU HÀNH NỘI BỘ", mark)))


@pytest.mark.parametrize("subject", ["[MẬT] Kế hoạch", "(Tối mật) Báo cáo", "  {tuyệt mật} x"])
def test_a_bracketed_mark_before_the_subject_counts(subject: str) -> None:
    assert carries_secrecy_mark(document(subject))


@pytest.mark.parametrize("mark", ["XEM XONG TRẢ LẠI", "LƯU HÀNH NỘI BỘ", "mật ong", "hỏa tốc"])
def test_circulation_marks_are_no_secrecy_marks(mark: str) -> None:
    assert not carries_secrecy_mark(document(marks=(mark,)))


@pytest.mark.parametrize("subject", ["Về bảo vệ bí mật", "(Khẩn) Báo cáo", "Mật ong bạc hà"])
def test_a_subject_about_secrets_is_not_secret(subject: str) -> None:
    assert not carries_secrecy_mark(document(subject))


@pytest.mark.parametrize(
    "mark",
    ["Độ mật: Tối mật", "Tài liệu mật", "Văn bản TUYỆT MẬT", "ＭẬＴ", "M\u00adật", "TỐI\u200b MẬT",
     "m\u034fật", "a\u200d".join(["M", "\u0302\u0323t"]), "M Ậ T", "tối mat", "*Mật*",
     "Mức độ mật: Mật", "State-Secret", "Bi mat nha nuoc"],
)  # fmt: skip
def test_trivial_spellings_do_not_hide_a_mark(mark: str) -> None:
    for form in ("NFC", "NFD", "NFKD"):
        assert carries_secrecy_mark(document(marks=(unicodedata.normalize(form, mark),)))


@pytest.mark.parametrize(
    "subject",
    [unicodedata.normalize("NFD", "[BÍ MẬT NHÀ NƯỚC] x"), "[Độ mật: Mật] x", "【MẬT】 x",
     "“TUYỆT MẬT” x", "V/v x [MẬT]", "\u200b[MẬT] x", "[Khẩn] [MẬT] x", "[“Mật”] x", "（ＭẬＴ）x",
     "«Tối mật»: x", "V/v x (tài liệu mật).", "\"Mật\" x", "[ Mức độ mật của văn bản: Mật ] x"],
)  # fmt: skip
def test_any_bracket_at_either_end_of_the_subject_counts(subject: str) -> None:
    assert carries_secrecy_mark(document(subject))


@pytest.mark.parametrize(
    "subject",
    ["Về bảo vệ bí mật nhà nước (Luật 117)", "Giải thích từ “mật” trong Luật",
     "[Mất] con dấu", "(Mặt bằng) Báo cáo", "[Khẩn] về quản lý mật ong", "x" * 500, "[" * 500],
)  # fmt: skip
def test_words_beside_a_mark_are_not_taken_for_one(subject: str) -> None:
    assert not carries_secrecy_mark(document(subject))


@pytest.mark.parametrize(
    "mark",
    ["Ðộ mật: Mật", "Hỏa tốc - Mật", "Mật/Hỏa tốc", "Mật, Khẩn", "MẬT (bản số 1)",
     "Secret (NOFORN)", "A: Mật", "Con dấu mật", "M\u3164ẬT"],
)  # fmt: skip
def test_a_mark_beside_another_is_found(mark: str) -> None:
    assert carries_secrecy_mark(document(marks=(mark,)))


@pytest.mark.parametrize(
    "subject",
    ["[Ðộ mật: Tối mật] x", "[M\u3164ẬT] x", "`MẬT` x", "″MẬT″ x", "=MẬT= x", "#MẬT# x",
     "TỐI MẬT - x", "MẬT: x", "MẬT", "V/v x (Tuyet mat)"],
)  # fmt: skip
def test_a_subject_led_by_a_mark_is_secret(subject: str) -> None:
    assert carries_secrecy_mark(document(subject))


@pytest.mark.parametrize(
    "subject",
    ["V/v tập huấn công tác 'bí mật nhà nước'", "V/v danh mục tài liệu (bí mật nhà nước)",
     "Máy MAT (MAT)", "Bảo mật - an toàn thông tin", "Mật ong: giá cả thị trường"],
)  # fmt: skip
def test_the_law_of_state_secrets_may_be_written_about(subject: str) -> None:
    assert not carries_secrecy_mark(document(subject))


@pytest.mark.parametrize("mark", ["Độ mật: không", "Không mật", "Độ mật: Thường"])
def test_a_mark_that_says_not_secret_is_not_secret(mark: str) -> None:
    assert not carries_secrecy_mark(document(marks=(mark,)))


@pytest.mark.parametrize(
    "kind",
    ["Công văn mật", "Báo cáo mật", "Kế hoạch TUYỆT MẬT", "Báo cáo (Mật)", "Mật",
     "Công văn - Tối mật", unicodedata.normalize("NFD", "Báo cáo mật")],
)  # fmt: skip
def test_a_type_that_says_secret_is_secret(kind: str) -> None:
    assert carries_secrecy_mark(document(kind=kind))


@pytest.mark.parametrize("kind", ["Cam kết bảo mật", "Danh mục bí mật", "Công văn", "Quy chế"])
def test_a_type_about_secrecy_is_not_secret(kind: str) -> None:
    assert not carries_secrecy_mark(document(kind=kind))


@pytest.mark.parametrize(
    "name",
    ["[MẬT] Ke hoach.pdf", "Kế hoạch (Tối mật).docx", "Mật - Kế hoạch.pdf", "TỐI MẬT.pdf",
     "Phụ lục (Mật).signed.pdf", "{tuyet mat} x.zip"],
)  # fmt: skip
def test_an_attachment_whose_name_bears_a_mark_makes_it_secret(name: str) -> None:
    assert carries_secrecy_mark(document(files=("Công văn.pdf", name)))


@pytest.mark.parametrize(
    "name",
    ["Mật ong.pdf", "Mật độ dân số.xlsx", "mat_bang.dwg", "Bảo mật thông tin.pdf", "a.mat", ".pdf",
     "Tập huấn (bí mật nhà nước).pdf"],
)  # fmt: skip
def test_an_attachment_about_something_else_does_not(name: str) -> None:
    assert not carries_secrecy_mark(document(files=(name,)))
