"""The words of every error code, for a văn thư (clerk) or an operator, in two languages.

A row is (English, Vietnamese, remedy in English, remedy in Vietnamese); `{name}` is filled
from the facts of the error.  A test holds that every code raised has its row.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from router.errors import SheetProblem, VanbanError
from router.model.answers import Problem
from router.sheet_messages import SHEET_WORDS

PROBLEM_TYPE_PREFIX: Final = "urn:vanban-router:problem:"


class Words(NamedTuple):
    """One row of the table."""

    en: str
    vi: str
    remedy_en: str
    remedy_vi: str


# The two languages of a row stand side by side, so that they are kept alike.
# fmt: off
_INPUT: Final[dict[str, Words]] = {
    "json.malformed": Words(
        "Not valid JSON: {reason}.", "JSON không hợp lệ: {reason}.",
        "Send one JSON object in UTF-8.", "Hãy gửi một đối tượng JSON mã hóa UTF-8.",
    ),
    "json.duplicate_member": Words(
        "The member “{member}” stands twice in one object (byte {offset}).",
        "Thành phần “{member}” xuất hiện hai lần trong một đối tượng (byte {offset}).",
        "Write each member once.", "Mỗi thành phần chỉ được ghi một lần.",
    ),
    "json.too_deep": Words(
        "The JSON is nested too deeply.", "JSON lồng nhau quá sâu.",
        "Use the structure of docs/envelope.md.", "Dùng cấu trúc trong docs/envelope.md.",
    ),
    "field.invalid": Words(
        "A field is wrong: {reason}.", "Một trường dữ liệu sai: {reason}.",
        "Correct the field at the path given.", "Sửa trường tại đường dẫn đã nêu.",
    ),
    "field.unknown": Words(
        "There is no field “{field}”.", "Không có trường “{field}”.",
        "Remove it, or check its spelling.", "Bỏ trường này hoặc kiểm tra chính tả.",
    ),
    "field.missing": Words(
        "The field “{field}” is required.", "Thiếu trường bắt buộc “{field}”.",
        "Add the field.", "Bổ sung trường này.",
    ),
    "field.too_long": Words(
        "A field is over its limit: {reason}.", "Một trường vượt giới hạn: {reason}.",
        "Shorten the field at the path given.", "Rút ngắn trường tại đường dẫn đã nêu.",
    ),
    "field.conflict": Words(
        "Fields do not go together: {reason}.", "Các trường không phù hợp với nhau: {reason}.",
        "See docs/envelope.md for the act you send.",
        "Xem docs/envelope.md cho loại nghiệp vụ đang gửi.",
    ),
    "envelope.version": Words(
        "Envelope or document version {version} is not known here.",
        "Không hỗ trợ phiên bản {version} của gói tin hoặc văn bản.",
        "Send version 1.", "Hãy gửi phiên bản 1.",
    ),
    "envelope.foreign": Words(
        "This file is not a signed envelope; it was not sent.",
        "Tệp này không phải gói tin đã ký; không gửi đi.",
        "Name a JSON file that signing made (docs/envelope.md).",
        "Chỉ định tệp JSON đã ký số (docs/envelope.md).",
    ),
    "envelope.too_large": Words(
        "The envelope has {size} bytes; at most {limit} are taken.",
        "Gói tin dài {size} byte; tối đa {limit} byte.",
        "Send large attachments by hash only.", "Tệp lớn chỉ gửi mã băm.",
    ),
    "batch.too_large": Words(
        "The batch has {size}; at most {limit} are taken at once.",
        "Lô có {size}; mỗi lần tối đa {limit}.",
        "Split the batch.", "Chia nhỏ lô.",
    ),
    "attachment.content": Words(
        "Inline attachment bytes do not match what was signed: {reason}.",
        "Nội dung tệp đính kèm không khớp phần đã ký: {reason}.",
        "Send the file that was signed.", "Gửi đúng tệp đã ký.",
    ),
    "attachment.too_large": Words(
        "Inline attachments have {size} bytes; at most {limit} are taken.",
        "Tệp đính kèm dài {size} byte; tối đa {limit} byte.",
        "Send large attachments by hash only.", "Tệp lớn chỉ gửi mã băm.",
    ),
    "document.secret": Words(
        "The document is marked as a state secret; it is refused and nothing of it is kept.",
        "Văn bản có dấu mật; bị từ chối và không lưu bất kỳ nội dung nào.",
        "Use the separate system for secret documents (Law 117/2025/QH15).",
        "Dùng hệ thống riêng cho văn bản mật (Luật 117/2025/QH15).",
    ),
    "document.issued_in_future": Words(
        "The issue time {issued_at} lies ahead of this engine's clock ({now}).",
        "Thời điểm ban hành {issued_at} sau đồng hồ hệ thống ({now}).",
        "Check the clock of the signing machine.", "Kiểm tra đồng hồ máy ký.",
    ),
    "document.issued_too_early": Words(
        "The issue time {issued_at} is before the year {year}.",
        "Thời điểm ban hành {issued_at} trước năm {year}.",
        "Documents of the current and the previous year are taken.",
        "Chỉ nhận văn bản của năm nay và năm trước.",
    ),
    "document.act_unsupported": Words(
        "The act “{act}” is not carried yet.", "Chưa hỗ trợ nghiệp vụ “{act}”.",
        "Send a new document.", "Gửi văn bản mới.",
    ),
}

_RECIPIENTS: Final[dict[str, Words]] = {
    "selector.syntax": Words(
        "The selector is wrong at character {position}: {reason}.",
        "Biểu thức nơi nhận sai tại ký tự {position}: {reason}.",
        "See docs/selectors.md.", "Xem docs/selectors.md.",
    ),
    "selector.too_large": Words(
        "The selector is over its limit: {reason}.", "Biểu thức nơi nhận vượt giới hạn: {reason}.",
        "Name a group instead of a list.", "Dùng nhóm thay cho danh sách.",
    ),
    "selector.malformed": Words(
        "The JSON form of the selector is wrong: {reason}.",
        "Biểu thức nơi nhận dạng JSON sai: {reason}.",
        "See docs/selectors.md.", "Xem docs/selectors.md.",
    ),
    "selector.no_sender": Words(
        "The selector speaks of the sender (character {position}), and there is none here.",
        "Biểu thức nhắc đến đơn vị gửi (ký tự {position}) nhưng ở đây không có đơn vị gửi.",
        "Name the sender, or an instant at which it was open.",
        "Nêu đơn vị gửi, hoặc thời điểm đơn vị gửi đang hoạt động.",
    ),
    "selector.future": Words(
        "The selector asks for the directory of {at}, after the issue time.",
        "Biểu thức dùng danh mục tại {at}, sau thời điểm ban hành.",
        "Name an instant at or before the issue time.",
        "Nêu thời điểm không muộn hơn lúc ban hành.",
    ),
    "selector.unknown_tag": Words(
        "No unit ever bore the tag “{name}” (character {position}).",
        "Không có đơn vị nào mang nhãn “{name}” (ký tự {position}).",
        "Tags: {known}.", "Các nhãn: {known}.",
    ),
    "group.unknown": Words(
        "There is no group “{name}” (character {position}).",
        "Không có nhóm “{name}” (ký tự {position}).",
        "Groups of like names: {known}.", "Các nhóm có tên gần giống: {known}.",
    ),
    "group.undefined_then": Words(
        "The group “{name}” (character {position}) is not defined at that instant.",
        "Nhóm “{name}” (ký tự {position}) chưa được định nghĩa hoặc đã bỏ tại thời điểm đó.",
        "Ask the operator for the group that is meant now.",
        "Hỏi quản trị về nhóm đang dùng hiện nay.",
    ),
    "group.empty": Words(
        "The group “{name}” (character {position}) has no members at that instant.",
        "Nhóm “{name}” (ký tự {position}) không có đơn vị nào tại thời điểm đó.",
        "Name another group, or have the operator define it anew.",
        "Dùng nhóm khác, hoặc đề nghị quản trị định nghĩa lại.",
    ),
    "group.cycle": Words(
        "Groups name each other in a ring: {chain}.", "Các nhóm tham chiếu vòng: {chain}.",
        "Take one of them out of the other.", "Bỏ một nhóm ra khỏi nhóm kia.",
    ),
    "group.invalid": Words(
        "The group “{name}” can't be defined so: {reason}.",
        "Không thể định nghĩa nhóm “{name}”: {reason}.",
        "See docs/selectors.md.", "Xem docs/selectors.md.",
    ),
    "selector.unknown_tier": Words(
        "No tier “{name}” (character {position}).", "Không có cấp “{name}” (ký tự {position}).",
        "Tiers: {known}.", "Các cấp: {known}.",
    ),
    "selector.unknown_kind": Words(
        "No kind of unit “{name}” (character {position}).",
        "Không có loại cơ quan “{name}” (ký tự {position}).",
        "Kinds: {known}.", "Các loại: {known}.",
    ),
    "recipient.unknown": Words(
        "No unit has the code {unit} (character {position}).",
        "Không có đơn vị mang mã {unit} (ký tự {position}).",
        "Check the code in the directory.", "Kiểm tra mã trong danh mục.",
    ),
    "recipient.closed": Words(
        "The unit {unit} was closed on {closed_at}; its successor: {successor}.",
        "Đơn vị {unit} đã đóng mã ngày {closed_at}; đơn vị kế thừa: {successor}.",
        "Address the successor.", "Gửi cho đơn vị kế thừa.",
    ),
    "recipient.not_yet_open": Words(
        "The unit {unit} opens on {opens_at}, after the issue time.",
        "Đơn vị {unit} hoạt động từ {opens_at}, sau thời điểm ban hành.",
        "Check the issue time.", "Kiểm tra thời điểm ban hành.",
    ),
    "audience.empty": Words(
        "The selector selects nobody at the issue time.",
        "Biểu thức nơi nhận không chọn được đơn vị nào tại thời điểm ban hành.",
        "Check the selector with “vanban resolve”.", "Kiểm tra bằng lệnh “vanban resolve”.",
    ),
    "sender.unknown": Words(
        "No unit has the sender's code {unit}.", "Không có đơn vị gửi mang mã {unit}.",
        "Check the sender's code.", "Kiểm tra mã đơn vị gửi.",
    ),
    "sender.closed": Words(
        "The sender {unit} was closed on {closed_at}, before the issue time; "
        "successor: {successor}.",
        "Đơn vị gửi {unit} đã đóng mã ngày {closed_at}, trước lúc ban hành; kế thừa: {successor}.",
        "The successor issues under its own code.", "Đơn vị kế thừa ban hành bằng mã của mình.",
    ),
    "sender.not_yet_open": Words(
        "The sender {unit} opens on {opens_at}, after the issue time.",
        "Đơn vị gửi {unit} hoạt động từ {opens_at}, sau thời điểm ban hành.",
        "Check the issue time.", "Kiểm tra thời điểm ban hành.",
    ),
    "sender.mismatch": Words(
        "The {what} does not belong to the sender {unit}.", "{what} không thuộc đơn vị gửi {unit}.",
        "Sign and submit with the sender's own certificate and token.",
        "Ký và gửi bằng chứng thư và mã truy cập của chính đơn vị gửi.",
    ),
}

_SIGNATURES: Final[dict[str, Words]] = {
    "signature.missing": Words(
        "The document is not signed.", "Văn bản chưa được ký số.",
        "Sign the payload bytes (docs/envelope.md).", "Ký số phần payload (docs/envelope.md).",
    ),
    "signature.malformed": Words(
        "A signature entry is wrong: {reason}.", "Chữ ký không đúng cấu trúc: {reason}.",
        "See docs/envelope.md.", "Xem docs/envelope.md.",
    ),
    "signature.form": Words(
        "Signatures of form “{form}” are not taken.", "Không nhận chữ ký dạng “{form}”.",
        "Use the form “jws”.", "Dùng dạng “jws”.",
    ),
    "signature.algorithm": Words(
        "The algorithm “{algorithm}” is not taken.", "Không nhận thuật toán “{algorithm}”.",
        "Use RS256/384/512, PS256/384/512, ES256, ES384 or EdDSA.",
        "Dùng RS256/384/512, PS256/384/512, ES256, ES384 hoặc EdDSA.",
    ),
    "signature.key": Words(
        "The certificate's key does not suit: {reason}.",
        "Khóa của chứng thư không phù hợp: {reason}.",
        "Use RSA of at least 2048 bits, P-256, P-384 or Ed25519 with its own algorithm.",
        "Dùng RSA từ 2048 bit, P-256, P-384 hoặc Ed25519 đúng thuật toán.",
    ),
    "signature.critical": Words(
        "The header's “crit” names what is not understood: {reason}.",
        "Tiêu đề “crit” có mục không hiểu: {reason}.",
        "Only “b64” is critical here.", "Chỉ “b64” là mục bắt buộc.",
    ),
    "signature.invalid": Words(
        "The signature does not fit the bytes.", "Chữ ký không khớp nội dung.",
        "Sign exactly the payload bytes you send.", "Ký đúng chuỗi byte payload được gửi.",
    ),
    "certificate.malformed": Words(
        "The certificate can't be read: {reason}.", "Không đọc được chứng thư: {reason}.",
        "Send the DER certificate in base64 (x5c).", "Gửi chứng thư DER dạng base64 (x5c).",
    ),
    "certificate.untrusted": Words(
        "The certificate's issuer is not trusted here: {issuer}.",
        "Nơi cấp chứng thư không được tin cậy: {issuer}.",
        "Have the operator import the issuing CA.", "Đề nghị quản trị nhập CA cấp chứng thư.",
    ),
    "certificate.expired": Words(
        "The certificate was valid until {until}.", "Chứng thư hết hạn từ {until}.",
        "Renew the certificate and sign again.", "Gia hạn chứng thư và ký lại.",
    ),
    "certificate.not_yet_valid": Words(
        "The certificate is valid from {since}.", "Chứng thư có hiệu lực từ {since}.",
        "Check the clock and the certificate.", "Kiểm tra đồng hồ và chứng thư.",
    ),
    "certificate.usage": Words(
        "The certificate may not sign documents: {reason}.",
        "Chứng thư không được dùng để ký văn bản: {reason}.",
        "Use a certificate for digital signatures.", "Dùng chứng thư ký số.",
    ),
    "certificate.algorithm": Words(
        "The certificate itself is signed with {algorithm}, which is not taken.",
        "Chứng thư được ký bằng {algorithm}, không được chấp nhận.",
        "Use a certificate whose issuer signs with SHA-256, SHA-384, SHA-512 or Ed25519.",
        "Dùng chứng thư do CA ký bằng SHA-256, SHA-384, SHA-512 hoặc Ed25519.",
    ),
}

_ACCESS: Final[dict[str, Words]] = {
    "document.conflict": Words(
        "The id {document_id} is taken by an earlier document with other content (key {key}).",
        "Mã {document_id} đã dùng cho văn bản khác nội dung (khóa {key}).",
        "Give the new document its own id.", "Dùng mã định danh khác cho văn bản mới.",
    ),
    "idempotency.conflict": Words(
        "The idempotency key is taken by a document with other content (key {key}).",
        "Khóa chống trùng đã dùng cho văn bản khác nội dung (khóa {key}).",
        "Use a new idempotency key.", "Dùng khóa chống trùng mới.",
    ),
    "document.not_found": Words(
        "No such document, or it is not yours.", "Không có văn bản này hoặc không thuộc đơn vị.",
        "Check the key.", "Kiểm tra khóa.",
    ),
    "delivery.not_found": Words(
        "No such delivery, or it is not yours.", "Không có lượt gửi này hoặc không thuộc đơn vị.",
        "Use the id the inbox gave.", "Dùng mã do hộp thư đến cấp.",
    ),
    "unit.not_found": Words(
        "No unit has the code {unit}.", "Không có đơn vị mang mã {unit}.",
        "Check the code in the directory.", "Kiểm tra mã trong danh mục.",
    ),
    "unit.closed": Words(
        "The unit {unit} is closed; {successor} answers for it.",
        "Đơn vị {unit} đã đóng mã; {successor} kế thừa.",
        "Use the successor's token.", "Dùng mã truy cập của đơn vị kế thừa.",
    ),
    "token.missing": Words(
        "An access token is needed.", "Cần có mã truy cập.",
        "Give --token-file FILE (or client.token_file in vanban.toml); "
        "over HTTP send “Authorization: Bearer <token>”.",
        "Dùng --token-file TỆP (hoặc client.token_file trong vanban.toml); "
        "qua HTTP gửi “Authorization: Bearer <mã>”.",
    ),
    "token.malformed": Words(
        "This is not an access token (it begins with “vb1.”).",
        "Đây không phải mã truy cập (mã bắt đầu bằng “vb1.”).",
        "Name the .token file, not a key or a letter.",
        "Chỉ định tệp .token, không phải tệp khóa hay văn bản.",
    ),
    "token.not_found": Words(
        "There is no token {token}.", "Không có mã truy cập {token}.",
        "List the tokens with “vanban token list”.", "Liệt kê bằng “vanban token list”.",
    ),
    "token.invalid": Words(
        "The access token is unknown, revoked or run out.",
        "Mã truy cập không tồn tại, đã thu hồi hoặc hết hạn.",
        "Ask the operator for a new token.", "Đề nghị quản trị cấp mã mới.",
    ),
    "right.missing": Words(
        "No right to “{action}” for {unit}.", "Không có quyền “{action}” đối với {unit}.",
        "Ask an operator for it (“vanban right grant”).",
        "Đề nghị quản trị cấp quyền (“vanban right grant”).",
    ),
    "right.invalid": Words(
        "The right can't be granted so: {reason}.", "Không thể cấp quyền như vậy: {reason}.",
        "See docs/rights.md.", "Xem docs/rights.md.",
    ),
    "right.not_found": Words(
        "There is no right {right}.", "Không có quyền số {right}.",
        "List the rights with “vanban right list”.", "Liệt kê bằng “vanban right list”.",
    ),
    "access.other_unit": Words(
        "That belongs to another unit.", "Nội dung này thuộc đơn vị khác.",
        "Use the token of that unit.", "Dùng mã truy cập của đơn vị đó.",
    ),
    "request.content_type": Words(
        "The content type “{given}” is not taken here.", "Không nhận kiểu nội dung “{given}”.",
        "Send {expected}.", "Gửi {expected}.",
    ),
    "request.too_large": Words(
        "The request body is over {limit} bytes.", "Nội dung yêu cầu vượt {limit} byte.",
        "Send less at once.", "Gửi ít hơn mỗi lần.",
    ),
    "request.method": Words(
        "The method {method} is not taken at this address.",
        "Địa chỉ này không nhận phương thức {method}.",
        "Use {allowed}.", "Hãy dùng {allowed}.",
    ),
    "request.timeout": Words(
        "The request body did not arrive within {seconds} seconds.",
        "Nội dung yêu cầu không đến đủ trong {seconds} giây.",
        "Send again.", "Gửi lại.",
    ),
    "request.invalid": Words(
        "The request is wrong: {reason}.", "Yêu cầu sai: {reason}.",
        "See the OpenAPI document.", "Xem tài liệu OpenAPI.",
    ),
    "request.not_found": Words(
        "There is nothing at this address.", "Không có gì tại địa chỉ này.",
        "See the OpenAPI document.", "Xem tài liệu OpenAPI.",
    ),
    "actor.invalid": Words(
        "The actor's name is wrong: {reason}.", "Tên người thực hiện sai: {reason}.",
        "Give a name of at most 64 characters.", "Tên dài tối đa 64 ký tự.",
    ),
    "reason.missing": Words(
        "A refusal needs a reason.", "Từ chối phải có lý do.",
        "Say why (QĐ 28/2018, Art. 5.4).", "Nêu lý do (QĐ 28/2018, Điều 5.4).",
    ),
}

_OPERATION: Final[dict[str, Words]] = {
    "engine.closed": Words(
        "The engine is closed.", "Hệ thống đã đóng.",
        "Open it again.", "Mở lại hệ thống.",
    ),
    "server.busy": Words(
        "Too much is under way; try again in {retry_after_s} seconds.",
        "Hệ thống đang quá tải; thử lại sau {retry_after_s} giây.",
        "Send again later.", "Gửi lại sau.",
    ),
    "server.stopping": Words(
        "The server is stopping; try again in {retry_after_s} seconds.",
        "Máy chủ đang dừng; thử lại sau {retry_after_s} giây.",
        "Send again later.", "Gửi lại sau.",
    ),
    "server.unreachable": Words(
        "The server can't be reached: {reason}.", "Không kết nối được máy chủ: {reason}.",
        "Check the address, and that “vanban serve” runs.",
        "Kiểm tra địa chỉ và lệnh “vanban serve”.",
    ),
    "server.fault": Words(
        "A fault of this server; it has been logged as {reference}.",
        "Lỗi máy chủ; đã ghi nhật ký {reference}.",
        "Tell the operator the reference.", "Báo quản trị mã lỗi này.",
    ),
    "store.locked": Words(
        "The data directory is in use by another process.",
        "Thư mục dữ liệu đang được tiến trình khác sử dụng.",
        "Stop the other process first.", "Dừng tiến trình kia trước.",
    ),
    "store.missing": Words(
        "There is no data directory here.", "Không có thư mục dữ liệu ở đây.",
        "Make one with “vanban init --data DIR”.",
        "Tạo bằng lệnh “vanban init --data DIR”.",
    ),
    "store.exists": Words(
        "There is a data directory here already.", "Ở đây đã có thư mục dữ liệu.",
        "Name another directory, or use this one as it is.",
        "Chỉ định thư mục khác, hoặc dùng thư mục này.",
    ),
    "store.format": Words(
        "The data directory is of format {found}; this version reads {known}.",
        "Thư mục dữ liệu ở định dạng {found}; bản này đọc {known}.",
        "Use the version that wrote it.", "Dùng đúng phiên bản đã ghi.",
    ),
    "store.foreign": Words(
        "This is no data directory of vanban: {reason}.",
        "Đây không phải thư mục dữ liệu của vanban: {reason}.",
        "Name an empty or an existing data directory.",
        "Chỉ định thư mục rỗng hoặc thư mục dữ liệu có sẵn.",
    ),
    "store.corrupt": Words(
        "Stored data can't be read: {reason}.", "Không đọc được dữ liệu đã lưu: {reason}.",
        "Restore the last backup; keep this directory for analysis.",
        "Khôi phục bản sao lưu gần nhất; giữ thư mục này để phân tích.",
    ),
    "store.failed": Words(
        "A write or flush failed: {reason}.  Nothing more is accepted.",
        "Ghi dữ liệu thất bại: {reason}.  Ngừng tiếp nhận.",
        "Check the disk, then restart.", "Kiểm tra ổ đĩa rồi khởi động lại.",
    ),
    "store.full": Words(
        "The disk or the data quota is full.", "Ổ đĩa hoặc hạn mức dữ liệu đã đầy.",
        "Free space, then restart.", "Giải phóng dung lượng rồi khởi động lại.",
    ),
    "record.too_large": Words(
        "A record of {bytes} bytes exceeds {limit}.",
        "Bản ghi {bytes} byte vượt giới hạn {limit}.",
        "Send less in one document: fewer inline attachments or recipients.",
        "Giảm dung lượng văn bản: bớt tệp đính kèm nội dòng hoặc nơi nhận.",
    ),
    "settings.invalid": Words(
        "A setting is wrong: {reason}.", "Cấu hình sai: {reason}.",
        "Correct the setting at the path given.", "Sửa cấu hình tại đường dẫn đã nêu.",
    ),
    "directory.invalid": Words(
        "The directory change is wrong: {reason}.", "Thay đổi danh mục sai: {reason}.",
        "Correct the row named.", "Sửa dòng đã nêu.",
    ),
    "group.invalid": Words(
        "The definition of the group is wrong: {reason}.",
        "Định nghĩa nhóm nơi nhận sai: {reason}.",
        "Correct the field named.", "Sửa trường đã nêu.",
    ),
    "trust.invalid": Words(
        "The trust change is wrong: {reason}.", "Thay đổi tin cậy sai: {reason}.",
        "Correct the certificate or the binding.", "Sửa chứng thư hoặc ràng buộc.",
    ),
}
# fmt: on

_SHEETS: Final = {code: Words(*row) for code, row in SHEET_WORDS.items()}

TABLE: Final[dict[str, Words]] = {
    **_INPUT, **_RECIPIENTS, **_SIGNATURES, **_ACCESS, **_OPERATION, **_SHEETS,
}  # fmt: skip


class _Facts(dict[str, str | int]):
    def __missing__(self, name: str) -> str:
        return "?"


def _what_vi(what: str) -> str:
    return {"token": "Mã truy cập", "certificate": "Chứng thư"}.get(what, what)


def say(error: VanbanError, language: str = "en") -> tuple[str, str]:
    """Return (what was wrong, what to do) in "en" or "vi"."""
    row = TABLE[error.code]
    facts = _Facts(error.facts)
    if language == "vi":
        if error.code == "sender.mismatch":
            facts["what"] = _what_vi(str(facts["what"]))
        return row.vi.format_map(facts), row.remedy_vi.format_map(facts)
    return row.en.format_map(facts), row.remedy_en.format_map(facts)


def say_problem(problem: SheetProblem, language: str = "en") -> tuple[str, str]:
    """Return (what is wrong, what to do) of one place in a list of units."""
    row = TABLE[problem.code]
    facts = {"reason": problem.reason, "count": 1, "row": problem.row, "column": problem.column}
    if language == "vi":
        return row.vi.format_map(facts), row.remedy_vi.format_map(facts)
    return row.en.format_map(facts), row.remedy_en.format_map(facts)


def problem_of(error: VanbanError, language: str = "en") -> Problem:
    """Return the error as RFC 9457 problem details."""
    detail, remedy = say(error, language)
    return Problem(
        type=PROBLEM_TYPE_PREFIX + error.code,
        title=error.code,
        status=error.status,
        code=error.code,
        detail=detail,
        remedy=remedy,
        path=error.path,
        facts=error.facts,
    )
