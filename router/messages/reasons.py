"""The words of the fact `reason` in the reader's language.

Errors keep one short English reason, which programs read; what a person is shown is made here.
A reason that stands in no table (of libraries, of what people wrote) stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# fmt: off
_ENGLISH: Final[Mapping[str, str]] = {
    # why a certificate was revoked (RFC 5280, 5.3.1)
    "unspecified": "no reason stated",
    "key_compromise": "the key got into other hands",
    "ca_compromise": "the key of the CA got into other hands",
    "affiliation_changed": "the holder's position changed",
    "superseded": "replaced by another certificate",
    "cessation_of_operation": "not used any more",
    "certificate_hold": "suspended",
    "remove_from_crl": "taken off the list",
    "privilege_withdrawn": "the holder's rights were withdrawn",
    "aa_compromise": "the key of the attribute authority got into other hands",
}
_VIETNAMESE: Final[Mapping[str, str]] = {
    "unspecified": "không nêu lý do",
    "key_compromise": "lộ khóa",
    "ca_compromise": "lộ khóa của CA",
    "affiliation_changed": "thay đổi thông tin người giữ",
    "superseded": "đã thay bằng chứng thư khác",
    "cessation_of_operation": "ngừng sử dụng",
    "certificate_hold": "tạm dừng",
    "remove_from_crl": "đưa ra khỏi danh sách",
    "privilege_withdrawn": "bị thu hồi quyền",
    "aa_compromise": "lộ khóa của cơ quan cấp thuộc tính",
    # keys and certificates
    "unknown kind of key": "loại khóa không hỗ trợ",
    "not a certificate in DER": "không phải chứng thư dạng DER",
    "no text": "không phải chuỗi ký tự",
    "not base64": "không phải base64",
    "not canonical base64": "base64 viết không đúng một cách duy nhất",
    "unknown critical extension": "có phần mở rộng bắt buộc không hỗ trợ",
    "a name or a key identifier can't be read": "không đọc được tên hoặc định danh khóa",
    "it can't be read as part of a path": "không đọc được khi dò đường dẫn chứng thư",
    "it is a CA's certificate": "đây là chứng thư của CA",
    "its key usage has no digital signature": "công dụng khóa không có chữ ký số",
    "its extended key usage is for other things only": "công dụng khóa mở rộng chỉ cho việc khác",
    "an issuer in its path is no CA": "một nơi cấp trong đường dẫn không phải CA",
    "an issuer in its path may not sign certificates":
        "một nơi cấp trong đường dẫn không được ký chứng thư",
    "the file holds no certificate in PEM or DER": "tệp không có chứng thư dạng PEM hoặc DER",
    # key files
    "not PEM": "không phải dạng PEM",
    "not PEM or DER": "không phải dạng PEM hoặc DER",
    "it has no password": "khóa không có mật khẩu",
    # headers of signatures, and places in trees
    "it is not JSON in UTF-8": "không phải JSON mã hóa UTF-8",
    "it is not a JSON object": "không phải đối tượng JSON",
    "crit is missing": "thiếu “crit”",
    "it is no list": "không phải danh sách",
    "it must be exactly b64, or b64 and tree": "phải đúng là b64, hoặc b64 và tree",
    "the form jws has no tree": "dạng jws không có cây",
    "not size, index, root and whole nodes":
        "không đủ kích thước, số thứ tự, gốc và các nút nguyên vẹn",
    # revocation data
    "it does not answer for one certificate": "không trả lời cho đúng một chứng thư",
    "not an OCSP response in DER": "không phải phản hồi OCSP dạng DER",
    "its answer can't be read": "không đọc được nội dung trả lời",
    "its nextUpdate is before its thisUpdate": "nextUpdate trước thisUpdate",
    "its responder can't be read": "không đọc được bên trả lời",
    "a part of it can't be read": "có phần không đọc được",
    "no CRL in PEM": "không có CRL dạng PEM",
    "it does not say when the next one comes (nextUpdate)":
        "không ghi khi nào có danh sách tiếp theo (nextUpdate)",
    "not a CRL in DER": "không phải CRL dạng DER",
    "its nextUpdate is not after its thisUpdate": "nextUpdate không sau thisUpdate",
    "an entry can't be read": "có mục không đọc được",
    "its number is none": "số của danh sách không hợp lệ",
    "it looks like JSON, such as a document or an envelope":
        "có vẻ là tệp JSON, như văn bản hoặc gói tin",
    "it looks like a certificate": "có vẻ là chứng thư",
    "it looks like a private key": "có vẻ là khóa bí mật",
    "it looks like another kind of PEM file": "có vẻ là tệp PEM loại khác",
    "the file is empty": "tệp rỗng",
    # files
    "Permission denied": "không có quyền",
    "Is a directory": "đó là thư mục",
    "Not a directory": "không phải thư mục",
    "File exists": "đã có tệp",
    "File name too long": "tên tệp quá dài",
    "No space left on device": "ổ đĩa đầy",
    "Disk quota exceeded": "hết hạn mức ổ đĩa",
    "Read-only file system": "ổ đĩa chỉ đọc",
    "Input/output error": "lỗi đọc ghi ổ đĩa",
    # JSON
    "it is no envelope": "không phải gói tin",
    "the body is empty": "không có nội dung",
    "the body can't be read": "không đọc được nội dung",
    "Input data was truncated": "dữ liệu bị cắt ngang",
}
_PATTERNS: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"RSA of (\d+) bits", r"RSA \1 bit"),
        (r"curve (.+)", r"đường cong \1"),
        (r"more than (\d+) characters", r"quá \1 ký tự"),
        (r"more than (\d+) bytes", r"quá \1 byte"),
        (r"not 1 to (\d+) bytes", r"không dài từ 1 đến \1 byte"),
        (r"unknown critical extension (.+)", r"phần mở rộng bắt buộc không hỗ trợ \1"),
        (r"the file has more than (\d+) bytes", r"tệp dài quá \1 byte"),
        (r"the file holds more than (\d+) certificates", r"tệp có quá \1 chứng thư"),
        (r"the file holds (\d+) signers' certificates: give one of them",
         r"tệp có \1 chứng thư của người ký: chỉ đưa một"),
        # of the JSON decoder
        (r"JSON is malformed: .*\(byte (\d+)\)", r"sai cú pháp ở byte \1"),
        (r"Expected `(.+?)`, got `(.+?)`(?: - at `(.+)`)?", r"cần \1 nhưng gặp \2"),
        (r"Object missing required field `(.+?)`(?: - at `(.+)`)?", r"thiếu trường “\1”"),
        (r"Object contains unknown field `(.+?)`(?: - at `(.+)`)?", r"có trường lạ “\1”"),
    )
)
# fmt: on


def say_reason(reason: str, language: str) -> str:
    """Return a reason in "en" or "vi"; one without words of ours stays as it is."""
    if language != "vi":
        return _ENGLISH.get(reason, reason)
    if reason in _VIETNAMESE:
        return _VIETNAMESE[reason]
    for pattern, words in _PATTERNS:
        found = pattern.fullmatch(reason)
        if found is not None:
            return found.expand(words)
    return reason
