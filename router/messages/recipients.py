"""Words about recipients, selectors, groups and the directory."""

from __future__ import annotations

from typing import Final

from router.messages.words import Words

# The two languages of a row stand side by side, so that they are kept alike.
# fmt: off
RECIPIENTS: Final[dict[str, Words]] = {
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
    "directory.invalid": Words(
        "The directory change is wrong: {reason}.", "Thay đổi danh mục sai: {reason}.",
        "Correct the place named.", "Sửa chỗ đã nêu.",
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
    "group.emptied": Words(
        "The group “{name}” has had no member since {since}, by: {title}.",
        "Nhóm “{name}” không còn đơn vị nào từ {since}, do: {title}.",
        "Define the group anew (“vanban group define”), or name the recipients otherwise.",
        "Định nghĩa lại nhóm (“vanban group define”) hoặc nêu nơi nhận cách khác.",
    ),
    "audience.emptied": Words(
        "The selector has selected nobody since {since}, by: {title}.",
        "Biểu thức không còn chọn đơn vị nào từ {since}, do: {title}.",
        "Name the units that are there now.", "Nêu các đơn vị hiện có.",
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
UNBOUND: Final = Words(
    "No certificate that signed is bound to the sender {unit} at the issue time: {subject} "
    "(SHA-256 {sha256}).",
    "Chứng thư ký chưa gắn với đơn vị gửi {unit} tại thời điểm ban hành: {subject} "
    "(SHA-256 {sha256}).",
    "Sign with the sender's own certificate; or, when it is, have the operator bind it: "
    "vanban trust bind {unit} CERT --from …",
    "Ký bằng chứng thư của chính đơn vị gửi; nếu đúng là của đơn vị, đề nghị quản trị gắn: "
    "vanban trust bind {unit} CERT --from …",
)
"""Of `sender.mismatch` by the certificate: it may be the sender's, and nobody has said so yet."""
# fmt: on
