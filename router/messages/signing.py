"""Words about signing with a token, for whoever sits in front of it."""

from __future__ import annotations

from typing import Final

from router.messages.words import Words

# fmt: off
SIGNING: Final[dict[str, Words]] = {
    "signing.library_missing": Words(
        "The package that talks to tokens is not installed.",
        "Chưa cài gói phần mềm để dùng thiết bị ký số.",
        "Install vanban-router[token].", "Cài vanban-router[token].",
    ),
    "signing.module_missing": Words(
        "The token's driver can't be loaded: {module}.",
        "Không nạp được trình điều khiển của thiết bị ký số: {module}.",
        "Install the driver that came with the token and name its PKCS #11 library (a .so file).",
        "Cài trình điều khiển kèm thiết bị và chỉ đúng thư viện PKCS #11 (tệp .so).",
    ),
    "signing.token_missing": Words(
        "There is no token “{token}”.", "Không thấy thiết bị ký số “{token}”.",
        "Plug the token in and wait for its light; check its label or slot.",
        "Cắm thiết bị, đợi đèn sáng; kiểm tra nhãn hoặc khe cắm.",
    ),
    "signing.token_ambiguous": Words(
        "There are {count} tokens: {tokens}.", "Có {count} thiết bị ký số: {tokens}.",
        "Say which one by its label, or by its slot.", "Chọn một thiết bị theo nhãn hoặc khe cắm.",
    ),
    "signing.pin_missing": Words(
        "The token asks for a PIN and none was given.", "Thiết bị cần mã PIN nhưng chưa có.",
        "Put the PIN alone on the first line of a file that only you can read, and name that file.",
        "Ghi riêng mã PIN ở dòng đầu một tệp chỉ bạn đọc được, rồi chỉ đến tệp đó.",
    ),
    "signing.pin_wrong": Words(
        "The PIN is wrong.", "Mã PIN sai.",
        "Check the PIN before the next try: after a few wrong ones the token locks itself.",
        "Kiểm tra mã PIN trước khi thử lại: sai vài lần thiết bị sẽ tự khóa.",
    ),
    "signing.pin_wrong_few_left": Words(
        "The PIN is wrong, and the token will soon lock itself.",
        "Mã PIN sai, thiết bị sắp tự khóa.",
        "Don't try again unless you are sure of the PIN; ask who issued the token.",
        "Không thử lại nếu chưa chắc chắn; hỏi nơi cấp thiết bị.",
    ),
    "signing.pin_last_try": Words(
        "The token “{token}” has one try left before it locks itself; it was not asked.",
        "Thiết bị “{token}” chỉ còn một lần thử trước khi tự khóa; chưa gửi mã PIN.",
        "Log in once, with the right PIN, with the program that came with the token; then repeat.",
        "Đăng nhập đúng mã PIN một lần bằng phần mềm kèm thiết bị, rồi làm lại.",
    ),
    "signing.pin_locked": Words(
        "The token is locked, or its PIN has run out: {token}.",
        "Thiết bị đã bị khóa hoặc mã PIN hết hạn: {token}.",
        "Have it unlocked by who issued it.", "Đề nghị nơi cấp mở khóa.",
    ),
    "signing.key_missing": Words(
        "There is no private key “{key}” on the token.",
        "Không có khóa bí mật “{key}” trên thiết bị.",
        "Check the key's label or id; the token may hold a certificate only.",
        "Kiểm tra nhãn hoặc mã của khóa; có thể thiết bị chỉ có chứng thư.",
    ),
    "signing.key_ambiguous": Words(
        "{count} private keys on the token fit.", "Có {count} khóa bí mật phù hợp trên thiết bị.",
        "Say which one by its label and id.", "Chọn một khóa theo nhãn và mã.",
    ),
    "signing.certificate_missing": Words(
        "The token holds no certificate for this key.",
        "Thiết bị không có chứng thư của khóa này.",
        "Name the certificate's file.", "Chỉ đến tệp chứng thư.",
    ),
    "signing.algorithm": Words(
        "The token can't sign with {algorithm}.", "Thiết bị không ký được bằng {algorithm}.",
        "Name another algorithm, such as RS256 or ES256.",
        "Chọn thuật toán khác, như RS256 hoặc ES256.",
    ),
    "signing.token": Words(
        "The token did not sign ({reason}).", "Thiết bị không ký được ({reason}).",
        "Pull the token out, plug it in and try again; else ask who issued it.",
        "Rút thiết bị, cắm lại và thử lại; nếu không được, hỏi nơi cấp.",
    ),
    "signing.key_file": Words(
        "The key or certificate can't be read: {reason}.",
        "Không đọc được khóa hoặc chứng thư: {reason}.",
        "Name a PEM key, its password file if it has one, and a PEM or DER certificate.",
        "Chỉ đến khóa PEM, tệp mật khẩu nếu có, và chứng thư PEM hoặc DER.",
    ),
}
# fmt: on
