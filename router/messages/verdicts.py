"""Verdicts over signatures in plain words, English and Vietnamese."""

from __future__ import annotations

from typing import Final

from router.model.verdicts import EvidenceShown, MissingShown, SignatureShown, VerdictShown

LANGUAGES: Final = ("en", "vi")
_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600
_MINUTE_S: Final = 60

# fmt: off
_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "valid": "All signatures are good, judged for {at}.",
        "one": "The signature is good, judged for {at}.",
        "invalid": "Not good: {reason}",
        "unreadable": "This can't be judged: {reason}",
        "unsigned": "Nobody signed this document.",
        "indeterminate": "Not decided yet. Missing: {missing}.",
        "waits": " The document waits until {until} at most; nobody gets it before.",
        "excluded": " The document had been accepted, and is delivered to nobody.",
        "expired": "Nothing was decided before {until}. Missing: {missing}. The document is "
                   "delivered to nobody.",
        "crl": "the list of revoked certificates of {issuer}",
        "ocsp": "the revocation status (OCSP) from {issuer}",
        "path": "the check of the certificates, still under way",
        "signer": "signed by {subject}",
        "unit": "speaks for {units}",
        "nobody": "bound to no unit at the issue time",
        "certificate": "certificate {serial}, good from {since} to {until}",
        "chain": "issued under {chain}",
        "unchained": "issued by {issuer}",
        "receipt": "signing time {at}: the time of receipt (what a sender writes proves none)",
        "time_stamp": "signing time {at}, by a time stamp",
        "of_crl": "not revoked: list{number} of {issuer}, made {made}, {age}",
        "of_ocsp": "not revoked: OCSP response of {issuer}, made {made}, {age}",
        "of_none": "revocation not checked: {issuer} is trusted so",
        "grace": " (out of date since {until}, within the grace)",
        "before": "{age} old then", "after": "{age} later",
        "algorithm": "algorithm {algorithm}",
        "tree": "signed in a tree of {size} documents, as number {index}",
        "versions": "trust version {trust}", "revocation": ", revocation data version {revocation}",
        "number": " {number}",
        "days": "{count} days", "hours": "{count} h", "minutes": "{count} min",
        "seconds": "{count} s",
    },
    "vi": {
        "valid": "Tất cả chữ ký số hợp lệ, xét tại {at}.",
        "one": "Chữ ký số hợp lệ, xét tại {at}.",
        "invalid": "Không hợp lệ: {reason}",
        "unreadable": "Không kiểm tra được: {reason}",
        "unsigned": "Văn bản không có chữ ký số.",
        "indeterminate": "Chưa có kết quả. Còn thiếu: {missing}.",
        "waits": " Văn bản chờ chậm nhất đến {until}; chưa gửi cho nơi nhận nào.",
        "excluded": " Văn bản đã tiếp nhận nhưng không gửi cho nơi nhận nào.",
        "expired": "Đến {until} vẫn chưa có kết quả. Còn thiếu: {missing}. Văn bản không gửi cho "
                   "nơi nhận nào.",
        "crl": "danh sách chứng thư bị thu hồi (CRL) của {issuer}",
        "ocsp": "trạng thái thu hồi (OCSP) từ {issuer}",
        "path": "việc kiểm tra chứng thư, đang thực hiện",
        "signer": "người ký: {subject}",
        "unit": "thay mặt {units}",
        "nobody": "không gắn với đơn vị nào tại thời điểm ban hành",
        "certificate": "chứng thư {serial}, hiệu lực từ {since} đến {until}",
        "chain": "cấp dưới {chain}",
        "unchained": "do {issuer} cấp",
        "receipt": "thời điểm ký {at}: thời điểm tiếp nhận (không căn cứ giờ do bên gửi ghi)",
        "time_stamp": "thời điểm ký {at}, theo dấu thời gian",
        "of_crl": "chưa bị thu hồi: CRL{number} của {issuer}, phát hành {made}, {age}",
        "of_ocsp": "chưa bị thu hồi: trả lời OCSP của {issuer}, phát hành {made}, {age}",
        "of_none": "không kiểm tra thu hồi: {issuer} được tin cậy như vậy",
        "grace": " (hết hạn từ {until}, trong thời gian ân hạn)",
        "before": "trước đó {age}", "after": "sau đó {age}",
        "algorithm": "thuật toán {algorithm}",
        "tree": "ký chung một lô {size} văn bản, thứ tự {index}",
        "versions": "phiên bản tin cậy {trust}",
        "revocation": ", phiên bản dữ liệu thu hồi {revocation}",
        "number": " số {number}",
        "days": "{count} ngày", "hours": "{count} giờ", "minutes": "{count} phút",
        "seconds": "{count} giây",
    },
}
_SHORT: Final[dict[str, tuple[str, str]]] = {
    "certificate.revoked": ("the certificate was revoked", "chứng thư đã bị thu hồi"),
    "certificate.expired": ("the certificate had run out", "chứng thư đã hết hạn"),
    "certificate.not_yet_valid": (
        "the certificate was not valid yet", "chứng thư chưa có hiệu lực"),
    "certificate.untrusted": (
        "the certificate's issuer is not trusted", "nơi cấp chứng thư không được tin cậy"),
    "certificate.usage": (
        "the certificate may not sign documents", "chứng thư không được dùng để ký văn bản"),
    "certificate.constraints": (
        "the certificate breaks its issuer's limits", "chứng thư vượt giới hạn của nơi cấp"),
    "certificate.algorithm": (
        "the certificate is signed too weakly", "chứng thư được ký bằng thuật toán yếu"),
    "certificate.malformed": ("the certificate can't be read", "không đọc được chứng thư"),
    "certificate.paths": (
        "the certificates lead too many ways", "chứng thư có quá nhiều đường dẫn"),
    "signature.invalid": ("the signature does not fit", "chữ ký không khớp nội dung"),
    "signature.key": ("the certificate's key does not suit", "khóa của chứng thư không phù hợp"),
}
"""Why a verdict was not good, in the few words that a table has room for."""
# fmt: on


def short_of(code: str, language: str) -> str:
    """Return a code with a few words before it; alone, where there are none."""
    words = _SHORT.get(code)
    return code if words is None else f"{words[LANGUAGES.index(language)]} ({code})"


def words_of(shown: VerdictShown, language: str) -> str:
    """Return the verdict in one or two sentences."""
    words = _WORDS[language]
    reason = shown.reason_vi if language == "vi" else shown.reason
    missing = "; ".join(
        dict.fromkeys(_missing(one, words) for one in shown.missing)
    )  # each issuer once
    until = moment(shown.waits_until)
    if shown.status == "valid":
        name = "one" if len(shown.signatures) == 1 else "valid"
        return words[name].format(at=moment(shown.judged_for))
    if shown.status == "indeterminate":
        if shown.waited == "expired":
            return words["expired"].format(until=until, missing=missing)
        said = words["indeterminate"].format(missing=missing)
        return said + (words["waits"].format(until=until) if shown.waited else "")
    said = words[shown.status].format(reason=reason)
    return said + (words["excluded"] if shown.waited == "invalid" else "")


def lines_of(one: SignatureShown, language: str) -> tuple[str, ...]:
    """Return what is known of one signature, a line each: the first says who signed."""
    words = _WORDS[language]
    units = ", ".join(f"{unit.name} ({unit.code})" for unit in one.units)
    issuers = [each.subject or each.sha256 for each in one.chain[1:]]
    chain = "chain" if issuers else "unchained"
    lines = [
        words["signer"].format(subject=one.subject),
        words["unit"].format(units=units) if units else words["nobody"],
        words["certificate"].format(
            serial=one.serial, since=moment(one.valid_from), until=moment(one.valid_to)
        ),
        words[chain].format(chain=" ← ".join(issuers), issuer=one.issuer),
        words["algorithm"].format(algorithm=one.algorithm),
    ]
    if one.tree is not None:
        lines.append(words["tree"].format(size=one.tree.size, index=one.tree.index + 1))
    if one.signed_at:
        lines.append(words[one.signed_at_source].format(at=moment(one.signed_at)))
    lines += [_evidence(each, one, words) for each in one.evidence]
    return tuple(lines)


def versions_of(shown: VerdictShown, language: str) -> str:
    """Return which versions of trust and revocation data were asked."""
    words = _WORDS[language]
    said = words["versions"].format(trust=shown.trust_version)
    if shown.revocation_version:
        said += words["revocation"].format(revocation=shown.revocation_version)
    return said


def _missing(one: MissingShown, words: dict[str, str]) -> str:
    return words[one.kind].format(issuer=one.issuer or one.certificate_sha256)


def _evidence(each: EvidenceShown, one: SignatureShown, words: dict[str, str]) -> str:
    said = words[f"of_{each.kind}"].format(
        number=words["number"].format(number=each.number) if each.number else "",
        issuer=each.issuer or one.issuer,
        made=moment(each.produced_at),
        age=words["before" if each.age_s >= 0 else "after"].format(age=_age(each.age_s, words)),
    )
    return said + (words["grace"].format(until=moment(each.fresh_until)) if each.grace else "")


def _age(seconds: int, words: dict[str, str]) -> str:
    seconds = abs(seconds)
    for name, size in (("days", _DAY_S), ("hours", _HOUR_S), ("minutes", _MINUTE_S)):
        if seconds >= 2 * size:
            return words[name].format(count=seconds // size)
    return words["seconds"].format(count=seconds)


def moment(instant: str) -> str:
    """Return a printed instant (RFC 3339 at +07:00) to the second, with its zone; else "?"."""
    return f"{instant[:19].replace('T', ' ')} {instant[-6:]}" if instant else "?"
