"""Sign a decision of H22 for the units below it: sign.py KEY.pem CERTIFICATE.pem > letter.json."""

import sys
from datetime import datetime

import msgspec

from vanban_client import VIETNAM_TIME, Document, Signer, make_envelope

key_file, certificate_file = sys.argv[1:]
now = datetime.now(VIETNAM_TIME).replace(microsecond=0)
document = Document(
    format=1,
    sender="H22",
    document_id=f"H22,{now:%Y/%m/%d},01/QĐ-UBND",
    number="01",
    notation="QĐ-UBND",
    document_type="Quyết định",
    subject="Về việc phân công nhiệm vụ",
    issued_at=now,
    recipients="children(H22)",
)
envelope = make_envelope(document, [Signer.from_files(key_file, certificate_file)])
sys.stdout.buffer.write(msgspec.json.encode(envelope))
