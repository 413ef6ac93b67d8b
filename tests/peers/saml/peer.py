"""Signs and verifies SAML assertions with tools that others wrote: xmlsec1 and signxml.

    peer.py verify CERTIFICATE FOLDER     every *.xml there; tells as JSON what each tool says of each file
    peer.py sign KEY CERTIFICATE FOLDER   every *.xml there, beside it as *.xmlsec1 and *.signxml

A file to be signed holds an assertion with an empty ds:Signature, filled in as xmlsec1 wants it. signxml writes a
signature of its own into the same place.
"""

import datetime
import json
import pathlib
import subprocess
import sys

from cryptography import x509
from lxml import etree
from signxml import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConfiguration,
    SignatureMethod,
    XMLSigner,
    XMLVerifier,
)

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"


def xmlsec1(mode, *arguments):
    """Runs xmlsec1; nothing where it is content, what it says otherwise."""
    command = ["xmlsec1", mode, "--id-attr:ID", f"{SAML}:Assertion", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["refused"])[-1]


def signxml_verifies(file, certificate):
    """Nothing where signxml is content. It is asked as it is documented, with the certificate that is trusted."""
    trusted = x509.load_pem_x509_certificate(certificate.read_bytes())
    sometime = trusted.not_valid_before_utc + datetime.timedelta(days=1)
    config = SignatureConfiguration(
        verification_time=sometime,
        signature_methods=frozenset([SignatureMethod.RSA_SHA256]),
        digest_algorithms=frozenset([DigestAlgorithm.SHA256]),
    )
    try:
        XMLVerifier().verify(file.read_bytes(), x509_cert=trusted, id_attribute="ID", expect_config=config)
    except Exception as why:  # whatever it throws is a refusal, and is told as one
        return f"{type(why).__name__}: {why}"
    return None


def verify(certificate, folder):
    told = {}
    for file in sorted(folder.glob("*.xml")):
        told[file.stem] = {
            "xmlsec1": xmlsec1("--verify", "--pubkey-cert-pem", certificate, file),
            "signxml": signxml_verifies(file, certificate),
        }
    json.dump(told, sys.stdout)


def sign(key, certificate, folder):
    for file in sorted(folder.glob("*.xml")):
        refused = xmlsec1("--sign", "--privkey-pem", key, "--output", file.with_suffix(".xmlsec1"), file)
        if refused:
            sys.exit(f"{file.name}: {refused}")
        if "#rsa-sha1" in file.read_text(encoding="utf-8"):
            continue  # signxml does not sign with SHA-1
        root = etree.fromstring(file.read_bytes())
        place = root.find(f"{{{DS}}}Signature")
        place.clear(keep_tail=True)
        place.set("Id", "placeholder")
        signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
        signed = signer.sign(
            root,
            key=key.read_bytes(),
            cert=certificate.read_text(encoding="utf-8"),
            reference_uri=root.get("ID"),
            id_attribute="ID",
        )
        file.with_suffix(".signxml").write_bytes(etree.tostring(signed, encoding="utf-8"))


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    {"verify": verify, "sign": sign}[command](*map(pathlib.Path, paths))
