"""Open an engine, submit a signed letter, take it, acknowledge it, ask where it is."""

from pathlib import Path
from tempfile import mkdtemp

import router
from vanban_bench.workloads.installation import write_sample

home = Path(mkdtemp())
with router.Engine.open(home / "data") as engine:
    write_sample(engine, home)  # Hà Giang's units, test keys, tokens, letters to try
    letter = (home / "sample" / "letter-1.json").read_bytes()
    (receipt,) = engine.submit([letter], unit="H22", actor="Nguyễn Văn A")
    print("accepted", receipt.key, "for", receipt.effective, "communes")

    for delivery in engine.lease("H22.31.20", limit=10):
        print("received from", delivery.sender, "in lane", delivery.lane)
        engine.acknowledge("H22.31.20", [delivery.delivery], actor="văn thư")

    print(engine.track(receipt.key, unit="H22").states)  # 192 queued, 1 delivered
    print(engine.explain(receipt.key, "H22.01").summary)
