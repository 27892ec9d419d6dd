"""Words about trust: what can't be trusted, and what a person should look at."""

from __future__ import annotations

from typing import Final

from router.messages.words import Words

# fmt: off
TRUST: Final = {
    "trust.invalid": Words(
        "The trust change is wrong: {reason}.", "Thay đổi tin cậy sai: {reason}.",
        "Correct the certificate or the binding.", "Sửa chứng thư hoặc ràng buộc.",
    ),
    "trust.leaf": Words(
        "This is a signer's certificate, not a CA's: {subject}.",
        "Đây là chứng thư của người ký, không phải của CA: {subject}.",
        "Bind it to its unit with “vanban trust bind”; import the CA that issued it.",
        "Gắn nó với đơn vị bằng “vanban trust bind”; nhập CA đã cấp nó.",
    ),
    "trust.issuing": Words(
        "This is a CA's certificate, which signs no documents: {subject}.",
        "Đây là chứng thư của CA, không dùng để ký văn bản: {subject}.",
        "Import it with “vanban trust add”; a unit is bound to its own certificate.",
        "Nhập nó bằng “vanban trust add”; đơn vị được gắn với chứng thư của chính mình.",
    ),
    "trust.private_key": Words(
        "The file holds a private key, not a certificate alone.",
        "Tệp chứa khóa bí mật, không chỉ có chứng thư.",
        "Keep the key where it is safe, and give a file with the certificate alone.",
        "Cất khóa ở nơi an toàn, và đưa tệp chỉ chứa chứng thư.",
    ),
    "trust.ambiguous": Words(
        "{count} certificates begin with {sha256}.", "Có {count} chứng thư bắt đầu bằng {sha256}.",
        "Write more of the SHA-256.", "Ghi thêm ký tự của SHA-256.",
    ),
    "authority.not_found": Words(
        "No authority's SHA-256 begins with {sha256}.",
        "Không có CA nào có SHA-256 bắt đầu bằng {sha256}.",
        "Look it up with “vanban trust list”.", "Tra cứu bằng “vanban trust list”.",
    ),
    "trust.nobody": Words(
        "No root is trusted at present, so no signature can be good.",
        "Hiện không tin cậy CA gốc nào, nên không chữ ký nào hợp lệ.",
        "Import the roots with “vanban trust add”.", "Nhập các CA gốc bằng “vanban trust add”.",
    ),
    "authority.unreadable": Words(
        "A recorded authority can't be read by this version and is not trusted.",
        "Phiên bản này không đọc được một CA đã ghi, nên không tin cậy nó.",
        "Remove it with “vanban trust remove”, and import its certificate again.",
        "Gỡ bằng “vanban trust remove”, rồi nhập lại chứng thư của nó.",
    ),
    "authority.no_path": Words(
        "No path leads from this intermediate to a trusted root.",
        "CA trung gian này không dẫn tới CA gốc tin cậy nào.",
        "Import the CA that issued it: {issuer}.", "Nhập CA đã cấp nó: {issuer}.",
    ),
    "authority.expired": Words(
        "Its certificate was valid until {until}.", "Chứng thư của nó hết hạn từ {until}.",
        "Import its successor; remove it when no certificate of it is in use.",
        "Nhập CA kế nhiệm; gỡ nó khi không còn chứng thư nào do nó cấp được dùng.",
    ),
    "authority.expires_soon": Words(
        "Its certificate is valid until {until} only.", "Chứng thư của nó chỉ còn hạn đến {until}.",
        "Import its successor before then; both are trusted side by side.",
        "Nhập CA kế nhiệm trước đó; hai CA được tin cậy song song.",
    ),
    "authority.not_yet_valid": Words(
        "Its certificate is valid from {since}.", "Chứng thư của nó có hiệu lực từ {since}.",
        "Nothing to do, if that is meant.", "Không cần làm gì, nếu đúng ý định.",
    ),
    "authority.weak_hash": Words(
        "It is signed with {algorithm}; as a root it counts by its import alone.",
        "Nó được ký bằng {algorithm}; là CA gốc, nó có giá trị chỉ do được nhập.",
        "Compare its SHA-256 with the one the CA publishes.",
        "Đối chiếu SHA-256 của nó với giá trị do CA công bố.",
    ),
    "authority.weak_key": Words(
        "Its key is {key}, and it is valid until {until}.",
        "Khóa của nó là {key}, và nó có hạn đến {until}.",
        "Ask the CA for a successor with a longer key before 2031.",
        "Đề nghị CA cấp chứng thư kế nhiệm có khóa dài hơn trước năm 2031.",
    ),
    "authority.names_overlap": Words(
        "Another authority with another key bears the same name at the same time: {other}.",
        "Một CA khác với khóa khác mang cùng tên trong cùng thời gian: {other}.",
        "See that both are real: compare their SHA-256 with those the CA publishes.",
        "Kiểm tra cả hai là thật: đối chiếu SHA-256 với giá trị do CA công bố.",
    ),
    "authority.revocation_not_checked": Words(
        "Whether the certificates it issued were revoked is not checked.",
        "Không kiểm tra việc thu hồi các chứng thư do nó cấp.",
        "Add it again with “--revocation required”, unless that is meant.",
        "Nhập lại với “--revocation required”, trừ khi đúng ý định.",
    ),
    "authority.no_list_signing": Words(
        "Revocation is to be checked, but its key usage does not allow signing lists.",
        "Phải kiểm tra thu hồi, nhưng công dụng khóa của nó không cho ký danh sách thu hồi.",
        "See that it answers by OCSP; with neither, its certificates wait for ever.",
        "Kiểm tra nó trả lời qua OCSP; nếu không có gì, chứng thư của nó phải chờ mãi.",
    ),
    "authority.revocation_missing": Words(
        "No revocation data of it is known: documents that need it wait.",
        "Chưa có dữ liệu thu hồi của nó: văn bản cần dữ liệu này phải chờ.",
        "Let the daemon fetch it, or bring its list with “vanban trust crl add”.",
        "Để dịch vụ tải về, hoặc đưa danh sách vào bằng “vanban trust crl add”.",
    ),
    "authority.revocation_expired": Words(
        "Its revocation data served until {until}: documents that need it wait.",
        "Dữ liệu thu hồi của nó chỉ dùng được đến {until}: văn bản cần dữ liệu này phải chờ.",
        "Let the daemon fetch newer data, or bring it with “vanban trust crl add”.",
        "Để dịch vụ tải dữ liệu mới, hoặc đưa vào bằng “vanban trust crl add”.",
    ),
    "authority.revocation_stale": Words(
        "Its revocation data is out of date since {since}, and serves until {until}.",
        "Dữ liệu thu hồi của nó đã cũ từ {since}, và còn dùng được đến {until}.",
        "See why no newer data comes, before documents have to wait.",
        "Xem vì sao chưa có dữ liệu mới, trước khi văn bản phải chờ.",
    ),
    "authority.revoked": Words(
        "It was revoked by the CA above it, and is not to be trusted since {since}.",
        "CA cấp trên đã thu hồi nó; không còn giá trị từ {since}.",
        "Ask the CA for its successor; end the trust with “vanban trust remove”.",
        "Hỏi CA về CA kế nhiệm; ngừng tin cậy bằng “vanban trust remove”.",
    ),
    "binding.revoked": Words(
        "It is bound to {unit}, and was revoked: not to be trusted since {since}.",
        "Nó đang gắn với {unit} nhưng đã bị thu hồi; không còn giá trị từ {since}.",
        "Bind the unit's new certificate, and end this binding (“vanban trust bind … --to”).",
        "Gắn chứng thư mới của đơn vị, và kết thúc việc gắn này (“vanban trust bind … --to”).",
    ),
    "documents.affected": Words(
        "Documents whose signers had been revoked when they signed, as is known since: {count}.",
        "Số văn bản có chứng thư ký đã bị thu hồi từ trước khi ký, nay mới biết: {count}.",
        "See which with “vanban verify --affected”, and decide with the agencies.",
        "Xem bằng “vanban verify --affected”, và thống nhất với các cơ quan liên quan.",
    ),
    "trust.waits": Words(
        "A document signed with it now would wait for revocation data of {issuer}.",
        "Văn bản ký bằng nó lúc này phải chờ dữ liệu thu hồi của {issuer}.",
        "Let the daemon fetch it, or bring it with “vanban trust crl add”.",
        "Để dịch vụ tải về, hoặc đưa vào bằng “vanban trust crl add”.",
    ),
    "binding.issuer_unknown": Words(
        "{count} bound certificates were issued by nobody who is known here.",
        "{count} chứng thư đã gắn do CA không có ở đây cấp.",
        "See which with “vanban trust bindings”, and import the CAs that issued them.",
        "Xem bằng “vanban trust bindings”, và nhập các CA đã cấp chúng.",
    ),
    "binding.expires_soon": Words(
        "{count} bound certificates run out before {until}, or have run out.",
        "{count} chứng thư đã gắn hết hạn trước {until}, hoặc đã hết hạn.",
        "See which with “vanban trust bindings --expiring {until}”, and bind the new ones.",
        "Xem bằng “vanban trust bindings --expiring {until}”, và gắn chứng thư mới.",
    ),
}
# fmt: on
