"""`vanban sign`: from a document's JSON to the envelope that is sent; one by one, or together."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
import rich_click as click

from router.cli.output import (
    json_option,
    print_json,
    print_line,
    speaks,
    warnings,
)
from router.cli.words import count, word
from router.client.signing import Signer
from router.client.signing_tokens import TokenKey, open_token, read_pin
from router.errors import ConflictError, MalformedError, SigningError, TooLargeError
from router.limits import ENVELOPE_BYTES_MAX, PAYLOAD_BYTES_MAX, PIN_CHARS_MAX
from router.model.documents import ENVELOPE_VERSION, Document, Envelope, SignatureEntry
from router.signatures.algorithms import ALGORITHMS

SIGNED_SUFFIX: Final = ".signed.json"
MODULE_VARIABLE: Final = "VANBAN_PKCS11_MODULE"
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
"""Values in msgspec's words: content, which no error carries."""
_BOM: Final = b"\xef\xbb\xbf"
_documents: Final = msgspec.json.Decoder(Document)
_envelopes: Final = msgspec.json.Decoder(Envelope)


class _Files(Sequence[Envelope]):
    """Documents, or envelopes to sign once more, read anew each time: none is kept."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: Any) -> Any:
        return _read(self.files[place])


def _key_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what to sign with."""
    file = click.Path(dir_okay=False)
    for option in reversed(
        (
            click.option("--key", type=file, help="PEM file with the private key."),
            click.option("--password-file", type=file,
                         help="File whose first line is the password of --key."),
            click.option("--cert", type=file,
                         help="PEM or DER certificate (default: the one on the token)."),
            click.option("--module", type=file, envvar=MODULE_VARIABLE, show_envvar=True,
                         help="PKCS #11 library (.so) of a token."),
            click.option("--token", help="Label of the token."),
            click.option("--slot", type=click.IntRange(0), help="Slot of the token."),
            click.option("--key-label", help="Label of the key on the token."),
            click.option("--key-id", metavar="HEX", help="Id of the key on the token."),
            click.option("--pin-file", type=file,
                         help="File whose first line is the PIN (default: VANBAN_PIN, or asked)."),
            click.option("--algorithm", type=click.Choice(list(ALGORITHMS)),
                         help="Default: RS256, ES256, ES384 or EdDSA, as the key is."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@click.command(
    epilog="Example: vanban sign letters/ --batch --module /usr/lib/token.so --pin-file pin.txt"
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(exists=True))  # fmt: skip
@_key_options
@click.option("--batch", is_flag=True,
              help="Sign all of them with one signature (up to 2^20 documents).")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False),
              help="Folder for the envelopes (default: beside each file).")  # fmt: skip
@click.option("--replace", is_flag=True, help="Write over envelopes that are there.")
@json_option
@speaks
def sign(
    files: tuple[str, ...], batch: bool, out: str | None, replace: bool, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Sign documents (JSON files, or folders of them) and write their envelopes.

    An envelope FILE.signed.json is written for each FILE.json; the bytes of the file are signed
    as they are.  A file that is an envelope already gets one signature more (the person signs
    first, then the agency).
    """
    found = list(_found(files))
    targets = [_target(file, out) for file in found]
    _check_targets(targets, replace)
    documents = _Files(found)
    for _ in documents:
        pass  # every file is read before anything is signed
    with ExitStack() as stack:
        signer = _signer(stack, **options)
        for folder in {one.parent for one in targets}:
            folder.mkdir(parents=True, exist_ok=True)
        envelopes = _signed(signer, documents, batch=batch)
        told = [
            _write(file, target, envelope)
            for file, target, envelope in zip(found, targets, _shown(envelopes, len(found)),
                                              strict=True)
        ]  # fmt: skip
    if as_json:
        print_json({"signer": signer.subject, "algorithm": signer.algorithm, "envelopes": told})
        return
    how = word("with one signature") if batch else word("one by one")
    print_line((word("signed"), "green"), f": {count(len(told), 'document', 'documents')}, {how}")
    print_line(f"{word('signer')}: {signer.subject} ({signer.algorithm})", indent=2)
    for one in told[:5]:
        print_line(str(one["envelope"]), indent=2)
    if len(told) > 5:
        print_line("…", indent=2)


def _found(files: Iterable[str]) -> Iterator[Path]:
    """Yield the files named, and of folders what may be a document, in the order of names."""
    for name in files:
        path = Path(name)
        if not path.is_dir():
            yield path
            continue
        inside = sorted(one for one in path.glob("*.json") if one.is_file())
        yield from (one for one in inside if not one.name.endswith(SIGNED_SUFFIX))


def _target(file: Path, out: str | None) -> Path:
    stem = file.name.removesuffix(SIGNED_SUFFIX).removesuffix(".json")
    return (file.parent if out is None else Path(out)) / f"{stem}{SIGNED_SUFFIX}"


def _check_targets(targets: Sequence[Path], replace: bool) -> None:
    if not targets:
        raise click.UsageError(word("There is no .json file in it."))
    if len(set(targets)) != len(targets):
        raise click.UsageError(word("Two files would get one envelope."))
    there = next((one for one in targets if one.exists()), None)
    if there is not None and not replace:
        raise ConflictError("envelope.exists", path=str(there))


def _read(file: Path) -> Envelope:
    """Return a document as an envelope without signatures, or the envelope it is already."""
    with file.open("rb") as opened:
        data = opened.read(ENVELOPE_BYTES_MAX + 1)
    try:
        if b'"payload"' in data:
            return _envelopes.decode(data)
        if len(data) > PAYLOAD_BYTES_MAX:
            raise TooLargeError(
                "envelope.too_large", path=str(file), size=len(data), limit=PAYLOAD_BYTES_MAX
            )
        if not data.removeprefix(_BOM).lstrip().startswith(b"{"):
            raise MalformedError("document.foreign", path=str(file))
        _documents.decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedError(
            "json.malformed", path=str(file), reason=_QUOTED.sub("…", str(error))
        ) from None
    return Envelope(version=ENVELOPE_VERSION, payload=data)


def _signed(signer: Signer, documents: _Files, *, batch: bool) -> Iterator[Envelope]:
    """Yield each envelope with one signature more."""
    tree = signer.sign_many(one.payload for one in documents) if batch else None
    for index, envelope in enumerate(documents):
        payload = envelope.payload
        entry = signer.sign(payload) if tree is None else tree.of(index, payload)
        yield _with(envelope, entry)


def _with(envelope: Envelope, entry: SignatureEntry) -> Envelope:
    return msgspec.structs.replace(envelope, signatures=(*envelope.signatures, entry))


def _write(file: Path, target: Path, envelope: Envelope) -> dict[str, object]:
    """Write an envelope whole or not at all; return what to tell of it."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_bytes(msgspec.json.encode(envelope))
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    entry = envelope.signatures[-1]
    return {"file": str(file), "envelope": str(target), "form": entry.form,
            "signatures": len(envelope.signatures)}  # fmt: skip


def _shown(envelopes: Iterator[Envelope], total: int) -> Iterator[Envelope]:
    """Show on a terminal how far it is."""
    if not warnings.is_terminal or total < 20:
        yield from envelopes
        return
    from rich.progress import track

    yield from track(envelopes, word("signing"), total, console=warnings, transient=True)


def _signer(
    stack: ExitStack, *, key: str | None, password_file: str | None, cert: str | None,
    module: str | None, algorithm: str | None, **where: Any,
) -> Signer:  # fmt: skip
    """Return what signs: a key file, or a token that is let go with the stack."""
    if key is not None:
        if cert is None:
            raise click.UsageError("--key needs --cert.")
        return _signer_from_files(key, cert, password_file, algorithm)
    if module is None:
        raise click.UsageError("Name --key and --cert, or the --module of a token.")
    token = stack.enter_context(_opened(module, **where))
    return token.signer(None if cert is None else _certificates(cert), algorithm)


def _opened(
    module: str, *, token: str | None, slot: int | None, key_label: str | None,
    key_id: str | None, pin_file: str | None,
) -> AbstractContextManager[TokenKey]:  # fmt: skip
    try:
        wanted = None if key_id is None else bytes.fromhex(key_id)
    except ValueError:
        raise click.UsageError("--key-id is hexadecimal, such as 0a1b.") from None
    options: dict[str, Any] = {"token": token, "slot": slot, "key": key_label, "key_id": wanted}
    pin = read_pin(pin_file, os.environ)
    try:
        return open_token(module, pin=pin, **options)
    except SigningError as error:
        if error.code != "signing.pin_missing" or not sys.stdin.isatty():
            raise
    asked: str = click.prompt(word("PIN"), hide_input=True, err=True)
    return open_token(module, pin=asked, **options)


def _signer_from_files(
    key: str, certificate: str, password_file: str | None, algorithm: str | None
) -> Signer:
    password = None
    if password_file is not None:
        with Path(password_file).open("rb") as file:
            password = file.readline(4 * PIN_CHARS_MAX).rstrip(b"\r\n")
    try:
        return Signer.from_files(key, certificate, password, algorithm)
    except TypeError:
        reason = "--password-file" if password is None else "it has no password"
        raise SigningError("signing.key_file", path=key, reason=reason) from None
    except ValueError:
        raise SigningError("signing.key_file", path=key, reason="not PEM") from None


def _certificates(file: str) -> list[bytes]:
    try:
        return Signer.read_certificates(file)
    except ValueError:
        raise SigningError("signing.key_file", path=file, reason="not PEM or DER") from None
