"""Words about revocation data: CRLs and OCSP responses, as operators bring or fetch them."""

from __future__ import annotations

from typing import Final

from router.messages.words import Words

# The two languages of a row stand side by side, so that they are kept alike.
# fmt: off
REVOCATION: Final[dict[str, Words]] = {
    "revocation.malformed": Words(
        "This is no revocation data that can be used: {reason}.",
        "Không phải dữ liệu thu hồi dùng được: {reason}.",
        "Give a CRL or an OCSP response in DER (or a CRL in PEM), as the authority publishes it.",
        "Dùng CRL hoặc phản hồi OCSP dạng DER (hoặc CRL dạng PEM) do CA công bố.",
    ),
    "revocation.too_large": Words(
        "The revocation data is too large: {size}; at most {limit} are taken.",
        "Dữ liệu thu hồi quá lớn: {size}; tối đa {limit}.",
        "Ask the authority for lists in parts, or for OCSP.",
        "Đề nghị CA công bố danh sách theo phần, hoặc dùng OCSP.",
    ),
    "revocation.critical": Words(
        "The revocation data holds a critical extension that is not understood: {extension}.",
        "Dữ liệu thu hồi có phần mở rộng bắt buộc không hỗ trợ: {extension}.",
        "Ask the authority for data without it.", "Đề nghị CA cấp dữ liệu không có phần này.",
    ),
    "revocation.untrusted": Words(
        "The revocation data is of no trusted authority: {issuer}.",
        "Dữ liệu thu hồi không thuộc CA được tin cậy: {issuer}.",
        "Import the authority's certificate first (“vanban trust add”).",
        "Nhập chứng thư của CA trước (“vanban trust add”).",
    ),
    "revocation.signature": Words(
        "The list bears the name of {issuer} and is not signed by it.",
        "Danh sách mang tên {issuer} nhưng không do CA đó ký.",
        "Fetch it again; if the authority has a new key, import its new certificate.",
        "Tải lại; nếu CA có khóa mới, hãy nhập chứng thư mới của CA.",
    ),
    "revocation.algorithm": Words(
        "The revocation data is signed with {algorithm}, which is not taken.",
        "Dữ liệu thu hồi được ký bằng {algorithm}, không được chấp nhận.",
        "Ask the authority to sign with SHA-256 or stronger.",
        "Đề nghị CA ký bằng SHA-256 trở lên.",
    ),
    "revocation.usage": Words(
        "The certificate of {issuer} does not allow signing revocation lists.",
        "Chứng thư của {issuer} không cho phép ký danh sách thu hồi.",
        "Import the certificate with which the authority signs its lists.",
        "Nhập chứng thư mà CA dùng để ký danh sách thu hồi.",
    ),
    "revocation.responder": Words(
        "Who signed the OCSP response may not answer for the authority: {reason}.",
        "Bên ký phản hồi OCSP không có quyền trả lời thay CA: {reason}.",
        "Ask the authority to mend its responder.", "Đề nghị CA sửa máy chủ OCSP.",
    ),
    "revocation.unanswered": Words(
        "The OCSP responder gave no answer: {status}.", "Máy chủ OCSP không trả lời: {status}.",
        "Ask again later, or ask the authority.", "Hỏi lại sau hoặc liên hệ CA.",
    ),
    "revocation.early": Words(
        "The revocation data was made in the future: {made}.",
        "Dữ liệu thu hồi có thời điểm lập ở tương lai: {made}.",
        "Check the clock of this machine.", "Kiểm tra đồng hồ của máy này.",
    ),
    "revocation.older": Words(
        "Newer revocation data of {issuer} is known (this: {made}, number {number}; "
        "known: {known}, number {known_number}).",
        "Đã có dữ liệu thu hồi mới hơn của {issuer} (này: {made}, số {number}; đã có: {known}, "
        "số {known_number}).",
        "Nothing has to be done, unless an address goes on giving old data.",
        "Không cần làm gì, trừ khi địa chỉ đó luôn trả dữ liệu cũ.",
    ),
    "revocation.scope": Words(
        "A list of this kind ({scope}) is taken up to {limit} entries; it has {entries}.",
        "Loại danh sách này ({scope}) chỉ nhận đến {limit} mục; danh sách có {entries} mục.",
        "Use the authority's whole list, or OCSP.", "Dùng danh sách đầy đủ của CA hoặc OCSP.",
    ),
    "revocation.full": Words(
        "There is no room for more revocation lists (at most {limit} bytes in memory).",
        "Không còn chỗ cho danh sách thu hồi (tối đa {limit} byte bộ nhớ).",
        "End the trust in authorities that are not needed any more.",
        "Ngừng tin cậy các CA không còn cần.",
    ),
}
# fmt: on
