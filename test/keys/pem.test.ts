import { describe, expect, test } from "vitest"

import { decodePem, encodePem } from "../../src/keys/pem.ts"

const DER = new Uint8Array(Array.from({ length: 100 }, (_, i) => i))
const PEM = encodePem("PUBLIC KEY", DER)
const body = PEM.split("\n").slice(1, -2).join("\n")
const block = (label: string, text = body): string =>
  `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`

describe("PEM", () => {
  test("is lines of 64 characters, as OpenSSL writes it", () => {
    expect(PEM.split("\n").map((line) => line.length)).toEqual([26, 64, 64, 8, 24, 0])
  })

  test.each([0, 1, 2, 3, 47, 48, 49, 96])("holds %i bytes there and back", (length) => {
    const der = DER.slice(0, length)
    if (length > 0) expect(decodePem(encodePem("PRIVATE KEY", der), "PRIVATE KEY")).toEqual(Buffer.from(der))
    expect(encodePem("PRIVATE KEY", der)).toMatch(
      /^-----BEGIN PRIVATE KEY-----\n[\w+/=\n]*-----END PRIVATE KEY-----\n$/,
    )
  })

  test.each([
    ["RSA PRIVATE KEY", "openssl pkcs8 -topk8 -nocrypt"],
    ["EC PRIVATE KEY", "openssl pkcs8 -topk8 -nocrypt"],
    ["RSA PUBLIC KEY", "openssl rsa -RSAPublicKey_in -pubout"],
    ["CERTIFICATE", "openssl x509 -pubkey -noout"],
    ["ENCRYPTED PRIVATE KEY", "passphrase"],
    ["OPENSSH PRIVATE KEY", 'where "PUBLIC KEY" is expected'],
    ["PRIVATE KEY", 'where "PUBLIC KEY" is expected'],
  ])("of %s is refused with what to do about it", (label, hint) => {
    expect(() => decodePem(block(label), "PUBLIC KEY")).toThrow(hint)
  })

  test.each([
    ["nothing", ""],
    ["no block", "not PEM"],
    ["no body", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"],
    ["no end", `-----BEGIN PUBLIC KEY-----\n${body}\n`],
    ["another end", `-----BEGIN PUBLIC KEY-----\n${body}\n-----END PRIVATE KEY-----\n`],
    ["two blocks", PEM + PEM],
    ["text before it", `Bag Attributes\n${PEM}`],
    ["text behind it", `${PEM}junk`],
    ["headers", block("PUBLIC KEY", `Proc-Type: 4,ENCRYPTED\n\n${body}`)],
    ["a space in its body", block("PUBLIC KEY", ` ${body}`)],
    ["base64url in its body", block("PUBLIC KEY", "--__")],
    ["no padding", block("PUBLIC KEY", "AAA")],
    ["too much padding", block("PUBLIC KEY", "AAAA====")],
    ["padding inside", block("PUBLIC KEY", "AA==AAAA")],
    ["unused bits set", block("PUBLIC KEY", "AAB=")],
    ["one character", block("PUBLIC KEY", "A")],
    ["four dashes", PEM.replaceAll("-----", "----")],
    ["all on one line", PEM.replaceAll("\n", "")],
    ["more characters than any key takes", block("PUBLIC KEY", "A".repeat(20_000))],
    ["a million dashes", "-".repeat(1_000_000)],
    ["a million spaces", " ".repeat(1_000_000)],
  ])("is refused with %s", (_, text) => {
    expect(() => decodePem(text, "PUBLIC KEY")).toThrow(expect.objectContaining({ code: "ERR_KEY" }) as Error)
  })
})
