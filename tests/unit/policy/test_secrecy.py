"""A state secret is recognised however its mark is written, and nothing else is taken for one."""

import unicodedata
from datetime import datetime

import pytest

from router.model.documents import Document
from router.model.instants import VIETNAM_TIME
from router.policy import carries_secrecy_mark


def document(subject: str = "Về việc họp", marks: tuple[str, ...] = ()) -> Document:
    return Document(
        format=1,
        sender="H22",
        document_id="x",
        number="05",
        notation="QĐ-UBND",
        document_type="Quyết định",
        subject=subject,
        issued_at=datetime(2024, 9, 4, tzinfo=VIETNAM_TIME),
        recipients="all",
        marks=marks,
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
