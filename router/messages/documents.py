"""Words about what is sent: envelopes, documents, signatures."""

from __future__ import annotations

from typing import Final

from router.messages.words import Words

# The two languages of a row stand side by side, so that they are kept alike.
# fmt: off
INPUT: Final[dict[str, Words]] = {
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
        "Sign the document first with “vanban sign”, and name the .signed.json file it writes.",
        "Ký văn bản trước bằng “vanban sign”, rồi chỉ định tệp .signed.json được tạo ra.",
    ),
    "envelope.exists": Words(
        "An envelope is there already; nothing was signed.", "Đã có gói tin này; chưa ký gì.",
        "Say --replace to write over it, or --out for another folder.",
        "Thêm --replace để ghi đè, hoặc --out để ghi vào thư mục khác.",
    ),
    "document.foreign": Words(
        "This is no JSON document; nothing was signed.",
        "Đây không phải văn bản dạng JSON; chưa ký gì.",
        "Name a document's JSON file (docs/envelope.md); other files go with it as attachments.",
        "Chỉ định tệp JSON của văn bản (docs/envelope.md); tệp khác gửi kèm dạng đính kèm.",
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

SIGNATURES: Final[dict[str, Words]] = {
    "signature.too_many_waiting": Words(
        "{limit} documents wait for the verdict over their signatures already.",
        "Đã có {limit} văn bản chờ kết quả kiểm tra chữ ký số.",
        "Send it again later; the operator sees to the revocation data (vanban trust).",
        "Gửi lại sau; quản trị kiểm tra dữ liệu thu hồi chứng thư (vanban trust).",
    ),
    "signature.missing": Words(
        "The document is not signed.", "Văn bản chưa được ký số.",
        "Sign the payload bytes (docs/envelope.md).", "Ký số phần payload (docs/envelope.md).",
    ),
    "signature.count": Words(
        "The document has {count} signatures; at most {limit} are taken.",
        "Văn bản có {count} chữ ký; tối đa {limit}.",
        "Leave out signatures that nobody needs.", "Bỏ bớt chữ ký không cần thiết.",
    ),
    "signature.spelling": Words(
        "This is not base64url in its one spelling.",
        "Không phải base64url viết đúng một cách duy nhất.",
        "Write it without padding, white space or other letters, unused bits zero (RFC 7515).",
        "Viết không có “=”, khoảng trắng, ký tự khác; bit thừa bằng 0 (RFC 7515).",
    ),
    "signature.header": Words(
        "The signature's header can't be read: {reason}.",
        "Không đọc được tiêu đề chữ ký: {reason}.",
        "Send base64url of one JSON object (docs/envelope.md).",
        "Gửi base64url của một đối tượng JSON (docs/envelope.md).",
    ),
    "signature.header_twice": Words(
        "The member “{member}” stands twice in the signature's header.",
        "Thành phần “{member}” xuất hiện hai lần trong tiêu đề chữ ký.",
        "Write each member once, and sign again.", "Mỗi thành phần chỉ ghi một lần, rồi ký lại.",
    ),
    "signature.header_unknown": Words(
        "The signature's header has a member that is not taken: “{member}”.",
        "Tiêu đề chữ ký có thành phần không được nhận: “{member}”.",
        "Leave it out, and sign again.", "Bỏ thành phần này, rồi ký lại.",
    ),
    "signature.header_missing": Words(
        "The member “{member}” is missing in the signature's header.",
        "Tiêu đề chữ ký thiếu thành phần “{member}”.",
        "Add it, and sign again.", "Bổ sung, rồi ký lại.",
    ),
    "signature.named_key": Words(
        "The signature's header names a key by “{member}”; such keys are never used.",
        "Tiêu đề chữ ký chỉ định khóa bằng “{member}”; khóa như vậy không bao giờ được dùng.",
        "Send the signer's certificate in “x5c” only, and sign again.",
        "Chỉ gửi chứng thư người ký trong “x5c”, rồi ký lại.",
    ),
    "signature.encoded": Words(
        "The header does not say “b64”: false, as the payload is signed as it is.",
        "Tiêu đề không ghi “b64”: false, trong khi payload được ký nguyên trạng.",
        "Sign the payload bytes unencoded (RFC 7797).",
        "Ký chuỗi byte payload không mã hóa (RFC 7797).",
    ),
    "signature.unsigned": Words(
        "The header says that nothing was signed (“alg”: “none”).",
        "Tiêu đề ghi rằng văn bản không được ký (“alg”: “none”).",
        "Sign with the key of the certificate.", "Ký bằng khóa của chứng thư.",
    ),
    "signature.mac": Words(
        "“{algorithm}” is made with a shared secret and proves no signer.",
        "“{algorithm}” dùng khóa bí mật chung, không chứng minh người ký.",
        "Sign with the private key of the certificate: RS256, PS256, ES256 or EdDSA.",
        "Ký bằng khóa riêng của chứng thư: RS256, PS256, ES256 hoặc EdDSA.",
    ),
    "signature.certificates": Words(
        "The header does not list 1 to {limit} certificates in “x5c”.",
        "Tiêu đề không có từ 1 đến {limit} chứng thư trong “x5c”.",
        "List the signer's certificate first.", "Ghi chứng thư người ký trước tiên.",
    ),
    "signature.thumbprint": Words(
        "“x5t#S256” is not the hash of the first certificate.",
        "“x5t#S256” không phải mã băm của chứng thư đầu tiên.",
        "Send base64url of the SHA-256 over its DER bytes, and sign again.",
        "Gửi base64url của SHA-256 trên các byte DER của nó, rồi ký lại.",
    ),
    "signature.key_kind": Words(
        "The certificate's key is of another kind than {algorithm} asks for.",
        "Khóa của chứng thư khác loại mà {algorithm} yêu cầu.",
        "Name the algorithm of the key, and sign again.",
        "Ghi đúng thuật toán của khóa, rồi ký lại.",
    ),
    "signature.form": Words(
        "Signatures of form “{form}” are not taken.", "Không nhận chữ ký dạng “{form}”.",
        "Use the form “jws” or “merkle”.", "Dùng dạng “jws” hoặc “merkle”.",
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
    "signature.key_pair": Words(
        "The key and the certificate don't belong together; the certificate is of {subject}.",
        "Khóa bí mật và chứng thư không cùng một cặp; chứng thư của {subject}.",
        "Name the key and the certificate that were issued as a pair.",
        "Chỉ định đúng khóa và chứng thư được cấp cùng nhau.",
    ),
    "signature.critical": Words(
        "The header's “crit” names what is not understood: {reason}.",
        "Tiêu đề “crit” có mục không hiểu: {reason}.",
        "Only “b64” is critical here, and “tree” in the form “merkle”.",
        "Chỉ “b64” là mục bắt buộc, thêm “tree” ở dạng “merkle”.",
    ),
    "signature.invalid": Words(
        "The signature does not fit the bytes.", "Chữ ký không khớp nội dung.",
        "Sign exactly the payload bytes you send.", "Ký đúng chuỗi byte payload được gửi.",
    ),
    "tree.malformed": Words(
        "The document's place in its tree can't be read: {reason}.",
        "Không đọc được vị trí của văn bản trong cây: {reason}.",
        "Send size, index, root and proof as docs/envelope.md says.",
        "Gửi kích thước, số thứ tự, gốc và chứng minh như docs/envelope.md.",
    ),
    "tree.size": Words(
        "A tree of {size} documents is not taken.", "Không nhận cây có {size} văn bản.",
        "Sign 1 to {limit} documents together.", "Ký cùng lúc từ 1 đến {limit} văn bản.",
    ),
    "tree.index": Words(
        "The place {index} is not in a tree of {size} documents.",
        "Vị trí {index} không có trong cây {size} văn bản.",
        "Places count from 0 up to the size less one.",
        "Vị trí đếm từ 0 đến kích thước trừ một.",
    ),
    "tree.proof_short": Words(
        "The proof has {found} nodes; its place asks for {wanted}.",
        "Chứng minh có {found} nút; vị trí này cần {wanted}.",
        "Send the whole proof of this document, as it was made when the tree was signed.",
        "Gửi đủ chứng minh của văn bản này, như khi ký cây.",
    ),
    "tree.proof_long": Words(
        "The proof has {found} nodes; its place asks for {wanted} only.",
        "Chứng minh có {found} nút; vị trí này chỉ cần {wanted}.",
        "Send the proof of this document and nothing more.",
        "Chỉ gửi chứng minh của văn bản này, không thêm gì.",
    ),
    "tree.proof": Words(
        "The proof does not lead from this document to the root that was signed.",
        "Chứng minh không dẫn từ văn bản này đến gốc đã ký.",
        "Send exactly the bytes that were signed, with their own proof; else sign again.",
        "Gửi đúng chuỗi byte đã ký kèm chứng minh của nó; nếu không thì ký lại.",
    ),
    "tree.signature": Words(
        "The signature is not over the root and size of this tree.",
        "Chữ ký không khớp gốc và kích thước của cây này.",
        "Send the signature that was made for this tree; else sign it again.",
        "Gửi chữ ký đã tạo cho cây này; nếu không thì ký lại.",
    ),
    "tree.kind": Words(
        "The header does not say “tree”: “{wanted}”.", "Tiêu đề không ghi “tree”: “{wanted}”.",
        "Hash the tree by RFC 6962 with SHA-256, and sign again.",
        "Băm cây theo RFC 6962 với SHA-256, rồi ký lại.",
    ),
    "tree.header": Words(
        "The header is not one for the form “{form}”.", "Tiêu đề không dành cho dạng “{form}”.",
        "A tree's signature belongs in the form “merkle”, a document's own in the form “jws”.",
        "Chữ ký của cây dùng dạng “merkle”, chữ ký riêng của văn bản dùng dạng “jws”.",
    ),
    "signature.length": Words(
        "The signature is not {wanted} bytes long, as its algorithm asks for.",
        "Độ dài chữ ký không phải {wanted} byte như thuật toán yêu cầu.",
        "Send ECDSA as r then s in full length, not in DER; RSA as long as the key.",
        "Gửi ECDSA dạng r rồi s đủ độ dài, không dùng DER; RSA dài bằng khóa.",
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
    "certificate.paths": Words(
        "The certificates allow more paths to a root than the {paths} that are tried.",
        "Chứng thư cho phép nhiều đường dẫn đến CA gốc hơn {paths} đường dẫn được thử.",
        "Send only the signer's certificate and the CAs above it.",
        "Chỉ gửi chứng thư của người ký và các CA cấp trên.",
    ),
    "certificate.revoked": Words(
        "The certificate of {subject} was revoked; it is invalid since {since} ({reason}).",
        "Chứng thư của {subject} đã bị thu hồi; không còn giá trị từ {since} ({reason}).",
        "Ask the CA for a new certificate, have the operator bind it, and sign again with it.",
        "Xin cấp chứng thư mới, đề nghị quản trị gắn với đơn vị, rồi ký lại.",
    ),
    "certificate.constraints": Words(
        "The certificate of {subject} breaks a limit its issuer set: {constraint}.",
        "Chứng thư của {subject} vượt giới hạn do nơi cấp đặt ra: {constraint}.",
        "Ask the CA for a certificate within its limits.",
        "Đề nghị CA cấp chứng thư trong phạm vi được phép.",
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
# fmt: on
