#!/bin/bash
# All of docs/signatures.md once, on certificates made here: run it in an empty directory, with
# vanban and openssl on the path.  It makes a root, an intermediate and a signer's certificate,
# with lists of revoked certificates; imports, binds, signs, submits and verifies; then revokes
# the signer's certificate from a day before it signed, and verifies again.
set -eu
umask 077
here=$(cd "$(dirname "$0")" && pwd)
data=trust-data

step() { echo; echo "== $*"; }
failing() { "$@" && { echo "it should have failed: $*"; exit 1; } || true; }

step "Make a root, an intermediate and a signer's certificate"
cat > ca.cnf <<'CONF'
[root]
database = root.txt
crlnumber = root.number
certificate = root.pem
private_key = root.key
default_md = sha256
default_crl_days = 30
crl_extensions = list
[below]
database = below.txt
crlnumber = below.number
certificate = below.pem
private_key = below.key
default_md = sha256
default_crl_days = 30
crl_extensions = list
[list]
authorityKeyIdentifier = keyid
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[signer]
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CONF
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -utf8"
{
  openssl req $key -keyout root.key -out root.csr -subj "/CN=CA gốc của ví dụ"
  openssl x509 -req -in root.csr -signkey root.key -days 3650 -extfile ca.cnf -extensions ca -out root.pem
  openssl req $key -keyout below.key -out below.csr -subj "/CN=CA trung gian của ví dụ"
  openssl x509 -req -in below.csr -CA root.pem -CAkey root.key -CAcreateserial -days 1800 \
    -extfile ca.cnf -extensions ca -out below.pem
  openssl req $key -keyout h22.key -out h22.csr -subj "/CN=UBND tỉnh Hà Giang"
  openssl x509 -req -in h22.csr -CA below.pem -CAkey below.key -CAcreateserial -days 365 \
    -extfile ca.cnf -extensions signer -out h22.pem
  for ca in root below; do
    : > $ca.txt
    echo 01 > $ca.number
    openssl ca -config ca.cnf -name $ca -gencrl -out $ca.crl
  done
} 2> openssl.log || { cat openssl.log; exit 1; }

step "Import the CAs, with their lists, and bind the signer's certificate"
cat root.pem below.pem > bundle.pem
vanban init --data $data
vanban directory import "$here/units.json" --data $data
vanban trust check bundle.pem --data $data
vanban trust add bundle.pem --data $data
vanban trust crl add root.crl --data $data
vanban trust crl add below.crl --data $data
vanban trust bind H22 h22.pem --from 2024-01-01 --data $data
vanban token create --unit H22 --name "văn thư tỉnh" --data $data > h22.token
vanban trust check --data $data

step "Sign, submit and verify"
export VANBAN__CLIENT__TOKEN_FILE=h22.token
vanban serve --data $data --ready-file ready &
daemon=$!
trap 'kill $daemon 2>/dev/null || true' EXIT
until [ -e ready ]; do kill -0 $daemon || exit 1; sleep 0.1; done
issued=$(TZ=UTC-7 date +%Y-%m-%dT%H:%M:%S+07:00)
cat > letter.json <<JSON
{"format": 1, "sender": "H22", "document_id": "H22|1", "number": "1", "notation": "QĐ-UBND",
 "document_type": "Quyết định", "subject": "Về việc phân công nhiệm vụ",
 "issued_at": "$issued", "recipients": "children(H22)"}
JSON
vanban sign letter.json --key h22.key --cert h22.pem
vanban verify letter.signed.json
vanban submit letter.signed.json
vanban verify 'H22|H22|1'

step "Revoke the certificate: its key was lost before it signed"
{
  openssl ca -config ca.cnf -name below -revoke h22.pem \
    -crl_compromise "$(TZ=UTC date -d '1 day ago' +%Y%m%d%H%M%SZ)"
  openssl ca -config ca.cnf -name below -gencrl -out below.crl
} 2>> openssl.log || { cat openssl.log; exit 1; }
sleep 1
vanban trust crl add below.crl --data $data
vanban verify 'H22|H22|1'                    # stands, and says what is known since
vanban track 'H22|H22|1'
vanban verify --affected
failing vanban trust check --data $data      # binding.revoked
failing vanban verify letter.signed.json     # as of now: not good any more
sed 's/H22|1/H22|2/; s/"number": "1"/"number": "2"/' letter.json > next.json
vanban sign next.json --key h22.key --cert h22.pem
failing vanban submit next.signed.json
