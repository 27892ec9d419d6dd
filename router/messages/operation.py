"""Words about access, deliveries and running the engine."""

from __future__ import annotations

from typing import Final

from router.messages.words import Words

# The two languages of a row stand side by side, so that they are kept alike.
# fmt: off
ACCESS: Final[dict[str, Words]] = {
    "document.conflict": Words(
        "The id {document_id} is taken by an earlier document with other content (key {key}).",
        "Mã {document_id} đã dùng cho văn bản khác nội dung (khóa {key}).",
        "Give the new document its own id.", "Dùng mã định danh khác cho văn bản mới.",
    ),
    "idempotency.conflict": Words(
        "The idempotency key of {document_id} is taken by {existing} with other content "
        "(key {key}).",
        "Khóa chống trùng của {document_id} đã dùng cho {existing} khác nội dung (khóa {key}).",
        "Use a new idempotency key.", "Dùng khóa chống trùng mới.",
    ),
    "document.not_found": Words(
        "No such document, or it is not yours.", "Không có văn bản này hoặc không thuộc đơn vị.",
        "Name it by its key (32 hexadecimal digits), or as SENDER|DOCUMENT ID.",
        "Dùng khóa của văn bản (32 chữ số hệ 16) hoặc MÃ ĐƠN VỊ|MÃ VĂN BẢN.",
    ),
    "file.not_found": Words(
        "There is no such file.", "Không có tệp này.",
        "Check its name, and the folder you are in.", "Kiểm tra tên tệp và thư mục đang đứng.",
    ),
    "file.unusable": Words(
        "The file can't be used: {reason}.", "Không dùng được tệp: {reason}.",
        "Check that it is a file, that you may use it, and that there is room on the disk.",
        "Kiểm tra đó là tệp, bạn có quyền dùng và ổ đĩa còn chỗ.",
    ),
    "document.or_file_not_found": Words(
        "There is no such file, and no document of this name.",
        "Không có tệp này, cũng không có văn bản nào tên như vậy.",
        "Check the file's name; a document is named by its key (32 hexadecimal digits), or as "
        "SENDER|DOCUMENT ID.",
        "Kiểm tra tên tệp; văn bản được gọi bằng khóa (32 chữ số hệ 16) hoặc "
        "MÃ ĐƠN VỊ|MÃ VĂN BẢN.",
    ),
    "delivery.not_found": Words(
        "No such delivery, or it is not yours.", "Không có lượt gửi này hoặc không thuộc đơn vị.",
        "Use the id the inbox gave.", "Dùng mã do hộp thư đến cấp.",
    ),
    "delivery.not_dead": Words(
        "The delivery is not dead: it can't be queued again.",
        "Lượt gửi chưa bị dừng hẳn: không thể đưa lại vào hàng đợi.",
        "Look at its state; only dead deliveries are queued again.",
        "Xem trạng thái; chỉ đưa lại các lượt gửi đã dừng hẳn (dead).",
    ),
    "import.changed": Words(
        "The preview that was confirmed is not what would be written now: nothing was applied.",
        "Bản xem trước đã xác nhận không còn khớp với thay đổi sẽ ghi: chưa áp dụng gì.",
        "Look at the preview again, then confirm it.", "Xem lại bản xem trước rồi xác nhận.",
    ),
    "import.too_early": Words(
        "The list is of a date before its units are known: {count} of them, {unit} since {since}.",
        "Ngày của danh sách sớm hơn thời điểm danh mục biết các đơn vị này: {count} đơn vị, "
        "{unit} từ {since}.",
        "Give a later --at. That a unit was there before is said by a correction with "
        "“opened_at”, or by a list of a later date with a column valid_from.",
        "Dùng --at muộn hơn. Nếu đơn vị đã có từ trước: gửi đính chính có “opened_at”, "
        "hoặc danh sách của ngày muộn hơn có cột valid_from.",
    ),
    "group.not_found": Words(
        "No group was ever named “{name}”.", "Chưa từng có nhóm tên “{name}”.",
        "List the groups with “vanban group list”.", "Liệt kê bằng “vanban group list”.",
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
    "token.unreadable": Words(
        "The file of the token can't be read: {reason}.",
        "Không đọc được tệp mã truy cập: {reason}.",
        "Check the path after --token-file, VANBAN_TOKEN_FILE or client.token_file.",
        "Kiểm tra đường dẫn sau --token-file, VANBAN_TOKEN_FILE hoặc client.token_file.",
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
        "Use the token of that unit; an operator's token has no inbox and sends nothing.",
        "Dùng mã truy cập của đơn vị đó; mã của người vận hành không có hộp thư, không gửi được.",
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

OPERATION: Final[dict[str, Words]] = {
    "engine.closed": Words(
        "The engine is closed.", "Hệ thống đã đóng.",
        "Open it again.", "Mở lại hệ thống.",
    ),
    "engine.forked": Words(
        "This process was forked from the one that opened the engine, and can't use it.",
        "Tiến trình này được tách (fork) từ tiến trình đã mở hệ thống nên không dùng được.",
        "Call Engine.connect here, or open the engine after forking.",
        "Gọi Engine.connect tại đây, hoặc mở hệ thống sau khi fork.",
    ),
    "owner.absent": Words(
        "No running engine shares this data directory.",
        "Không có hệ thống nào đang chạy chia sẻ thư mục dữ liệu này.",
        "Start “vanban serve” on it, or Engine.open with share=True.",
        "Chạy “vanban serve” trên thư mục đó, hoặc Engine.open với share=True.",
    ),
    "owner.gone": Words(
        "The process that owns the data directory went away during the call; if the call "
        "writes, it may have been stored.",
        "Tiến trình giữ thư mục dữ liệu đã kết thúc khi đang xử lý; nếu là thao tác ghi, "
        "có thể đã được lưu.",
        "Repeat it: the next owner is asked, and what was stored is answered as repeated.",
        "Gửi lại: tiến trình kế tiếp sẽ trả lời, phần đã lưu được báo là đã lặp lại.",
    ),
    "owner.silent": Words(
        "The process that owns the data directory did not answer within {seconds} seconds; "
        "if the call writes, it may have been stored.",
        "Tiến trình giữ thư mục dữ liệu không trả lời trong {seconds} giây; nếu là thao tác "
        "ghi, có thể đã được lưu.",
        "Repeat it, with a longer timeout_s where the call takes long.",
        "Gửi lại, tăng timeout_s nếu thao tác cần nhiều thời gian.",
    ),
    "owner.version": Words(
        "The owner of the data directory runs version {owner}, this process {client}.",
        "Tiến trình giữ thư mục dữ liệu dùng bản {owner}, tiến trình này dùng bản {client}.",
        "Run the same version in both: restart the one that is older.",
        "Dùng cùng một bản: khởi động lại tiến trình có bản cũ hơn.",
    ),
    "owner.fenced": Words(
        "Who answers is a former owner of the data directory (epoch {epoch}, seen {seen}).",
        "Tiến trình trả lời là chủ cũ của thư mục dữ liệu (kỳ {epoch}, đã thấy {seen}).",
        "Stop the former owner; if the directory was made anew, connect anew.",
        "Dừng tiến trình cũ; nếu thư mục được tạo lại thì kết nối lại từ đầu.",
    ),
    "owner.peer": Words(
        "The other side of the socket runs as user {user}, which is not trusted here.",
        "Phía bên kia socket chạy với người dùng {user}, không được tin cậy.",
        "Run both as the same user (or the client as root).",
        "Chạy cả hai với cùng người dùng (hoặc phía gọi là root).",
    ),
    "owner.protocol": Words(
        "The owner's answer can't be understood: {reason}.",
        "Không hiểu được trả lời của tiến trình giữ dữ liệu: {reason}.",
        "Run the same version in both processes.", "Dùng cùng một bản ở cả hai tiến trình.",
    ),
    "owner.socket": Words(
        "The data directory can't be shared with other processes: {reason}.",
        "Không thể chia sẻ thư mục dữ liệu với tiến trình khác: {reason}.",
        "Use a file system with Unix sockets and an own engine.sock, or open without sharing.",
        "Dùng hệ thống tệp hỗ trợ Unix socket, engine.sock riêng, hoặc mở không chia sẻ.",
    ),
    "answer.too_large": Words(
        "The answer is over {limit} bytes.", "Câu trả lời vượt {limit} byte.",
        "Ask for less at once.", "Yêu cầu ít hơn mỗi lần.",
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
    "server.workers": Words(
        "A worker ended over {restarts} times within {seconds} seconds; the daemon has ended.",
        "Một tiến trình phục vụ kết thúc quá {restarts} lần trong {seconds} giây; dịch vụ đã dừng.",
        "Find in the log why it ends, then start “vanban serve” again.",
        "Xem nhật ký để biết nguyên nhân, rồi chạy lại “vanban serve”.",
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
        "Stop it first: a “vanban serve”, or another command on this directory.",
        "Dừng tiến trình đó trước: “vanban serve” hoặc lệnh khác trên thư mục này.",
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
        "Use the version that wrote it, or a newer one.",
        "Dùng phiên bản đã ghi thư mục này, hoặc bản mới hơn.",
    ),
    "store.format_old": Words(
        "The data directory is of the older format {found}.",
        "Thư mục dữ liệu ở định dạng cũ {found}.",
        "Start “vanban serve” on it once: it is rewritten, and the old files stay beside it.",
        "Chạy “vanban serve” trên thư mục một lần: dữ liệu được ghi lại, tệp cũ giữ bên cạnh.",
    ),
    "store.backup": Words(
        "This is a backup: nothing runs on it.",
        "Đây là bản sao lưu: không chạy trực tiếp trên đó.",
        "Make a data directory from it with “vanban restore BACKUP NEW”.",
        "Tạo thư mục dữ liệu từ bản này bằng “vanban restore BẢN_SAO THƯ_MỤC_MỚI”.",
    ),
    "store.no_backup": Words(
        "This is no backup made by “vanban backup”.",
        "Đây không phải bản sao lưu do “vanban backup” tạo.",
        "Name a directory that “vanban backup” wrote to its end.",
        "Chỉ định thư mục mà “vanban backup” đã ghi xong.",
    ),
    "store.no_log": Words(
        "This store has no log of its own that could be backed up.",
        "Kho dữ liệu này không có nhật ký riêng để sao lưu.",
        "Open the data directory with “Engine.open”.", "Mở thư mục dữ liệu bằng “Engine.open”.",
    ),
    "store.read_only": Words(
        "The data directory can't be written: {reason}.",
        "Không ghi được vào thư mục dữ liệu: {reason}.",
        "Let this user write there, and mount the disk for writing.",
        "Cấp quyền ghi cho người dùng này và gắn ổ đĩa ở chế độ ghi.",
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
    "store.no_place": Words(
        "No directory can be made at this path: {reason}.",
        "Không thể tạo thư mục tại đường dẫn này: {reason}.",
        "Name a new directory below one that exists.",
        "Chỉ định một thư mục mới bên trong thư mục đã có.",
    ),
    "store.failed": Words(
        "A write or flush failed: {reason}.  Nothing more is accepted.",
        "Ghi dữ liệu thất bại: {reason}.  Ngừng tiếp nhận.",
        "Check the disk.  The daemon opens the store again by itself; an embedding host calls "
        "Engine.reopen().",
        "Kiểm tra ổ đĩa.  Máy chủ tự mở lại kho; ứng dụng nhúng gọi Engine.reopen().",
    ),
    "store.full": Words(
        "The disk or the data quota is full.", "Ổ đĩa hoặc hạn mức dữ liệu đã đầy.",
        "Free space.  The daemon opens the store again by itself; an embedding host calls "
        "Engine.reopen().",
        "Giải phóng dung lượng.  Máy chủ tự mở lại kho; ứng dụng nhúng gọi Engine.reopen().",
    ),
    "store.nearly_full": Words(
        "The disk is nearly full: documents are not taken, acknowledgements are; try again in "
        "{retry_after_s} seconds.",
        "Ổ đĩa sắp đầy: tạm ngừng nhận văn bản, vẫn nhận xác nhận; thử lại sau "
        "{retry_after_s} giây.",
        "Free space on the disk; nothing has to be restarted. A lower store.reserve_bytes holds "
        "from the next start.",
        "Giải phóng dung lượng; không cần khởi động lại. Giảm store.reserve_bytes chỉ có hiệu lực "
        "từ lần khởi động sau.",
    ),
    "store.checkpoint_behind": Words(
        "The disk does not keep up, and memory is bounded; try again in {retry_after_s} seconds.",
        "Ổ đĩa không theo kịp, bộ nhớ có giới hạn; thử lại sau {retry_after_s} giây.",
        "Send less at once; look for what else writes to this disk.",
        "Gửi ít hơn mỗi lần; kiểm tra tiến trình khác đang ghi ổ đĩa này.",
    ),
    "store.busy": Words(
        "Too much waits to be written; try again in {retry_after_s} seconds.",
        "Quá nhiều dữ liệu đang chờ ghi; thử lại sau {retry_after_s} giây.",
        "Send again later, and less at once.", "Gửi lại sau, và ít hơn mỗi lần.",
    ),
    "sender.too_many_in_flight": Words(
        "The sender has {limit} documents in flight that not all recipients have taken.",
        "Đơn vị gửi đang có {limit} văn bản chưa được mọi nơi nhận tiếp nhận.",
        "See who has not taken them and remind them, or raise store.in_flight_per_sender_max.",
        "Xem nơi nào chưa tiếp nhận và nhắc, hoặc tăng store.in_flight_per_sender_max.",
    ),
    "recipient.too_many_pending": Words(
        "The recipient {unit} has {limit} deliveries waiting that were written to it by name.",
        "Nơi nhận {unit} đang có {limit} lượt gửi đích danh chưa tiếp nhận.",
        "Remind that unit, send without it (on_bad_recipient “skip”), or raise "
        "store.pending_per_recipient_max.",
        "Nhắc đơn vị đó, gửi không kèm đơn vị đó (on_bad_recipient “skip”), hoặc tăng "
        "store.pending_per_recipient_max.",
    ),
    "unit.too_many_leased": Words(
        "The unit holds {limit} deliveries under lease that it has not settled.",
        "Đơn vị đang giữ {limit} lượt gửi đã nhận tạm mà chưa xác nhận.",
        "Acknowledge, refuse or give back some first, or raise inbox.leases_max.",
        "Xác nhận, từ chối hoặc trả lại bớt trước, hoặc tăng inbox.leases_max.",
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
}
# fmt: on
