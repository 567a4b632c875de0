/**
 * `sealwire keygen`: a key pair in two new files.
 *
 * @module
 */

import { type Command, Option } from "commander"

import {
  exportJwk,
  exportPem,
  exportProtectedPem,
  generateKeyPair,
  generateSigningKeyPair,
  type ModulusBits,
  type PrivateKey,
  type PublicKey,
  type SignatureAlgorithm,
  type SigningKey,
  type VerifyingKey,
} from "../../keys.ts"
import { CommandError } from "../failure.ts"
import { finishCommand, type JsonOption } from "../help.ts"
import { createFiles, fill, PRIVATE_MODE, PUBLIC_MODE, writeJson, writeStdout } from "../output.ts"
import { addPassphraseOption, givenPassphrase, newPassphrase, type PassphraseOptions } from "../passphrase.ts"

interface Options extends PassphraseOptions, JsonOption {
  readonly bits: string
  readonly signing?: true
  readonly algorithm: SignatureAlgorithm
  readonly format: "pem" | "jwk"
  readonly protect?: true
}

interface Pair {
  readonly secretKey: PrivateKey | SigningKey
  readonly publicKey: PublicKey | VerifyingKey
}

async function generate({ bits, signing, algorithm }: Options): Promise<Pair> {
  if (signing) {
    const { signingKey, verifyingKey } = await generateSigningKeyPair({ algorithm, extractable: true })
    return { secretKey: signingKey, publicKey: verifyingKey }
  }
  const modulusBits = Number(bits) as ModulusBits
  const { privateKey, publicKey } = await generateKeyPair({ modulusBits, extractable: true })
  return { secretKey: privateKey, publicKey }
}

async function jwkText(key: PrivateKey | SigningKey | PublicKey | VerifyingKey): Promise<string> {
  return `${JSON.stringify(await exportJwk(key), null, 2)}\n`
}

async function textsOf(pair: Pair, format: "pem" | "jwk", passphrase?: string): Promise<readonly string[]> {
  const { secretKey, publicKey } = pair
  if (format === "jwk") return [await jwkText(secretKey), await jwkText(publicKey)]
  const secret =
    passphrase === undefined ? exportPem(secretKey) : exportProtectedPem(secretKey, { passphrase })
  return [await secret, await exportPem(publicKey)]
}

async function run(name: string, options: Options): Promise<void> {
  const { signing, format, protect, json } = options
  const passphrase = protect ? await newPassphrase(options) : await givenPassphrase(options)
  if (passphrase !== undefined && format === "jwk") {
    throw new CommandError("ERR_USAGE", "a passphrase needs --format pem: a JWK cannot have one")
  }
  const [secretRole, publicRole] = signing ? ["signing", "verifying"] : ["private", "public"]
  const secretFile = `${name}.${secretRole}.${format}`
  const publicFile = `${name}.${publicRole}.${format}`
  const files = await createFiles([
    { path: secretFile, mode: PRIVATE_MODE },
    { path: publicFile, mode: PUBLIC_MODE },
  ])
  const { kid } = await fill(files, async () => {
    const pair = await generate(options)
    return { contents: await textsOf(pair, format, passphrase), kid: pair.publicKey.kid }
  })
  if (json) await writeJson({ kid, secretFile, publicFile, protected: passphrase !== undefined })
  else {
    const note = passphrase === undefined ? "keep it secret" : "keep it secret; it needs its passphrase"
    await writeStdout(`${secretFile}  ${note}\n${publicFile}  give it away\nkid ${kid}\n`)
  }
}

/** Adds `keygen` to the program. */
export function addKeygen(program: Command): void {
  const command = program
    .command("keygen")
    .summary("make a key pair")
    .description(
      "Makes a key pair in two new files: <name>.private.pem, which only you may read, and <name>.public.pem, which others seal to. " +
        "With --signing: <name>.signing.pem and <name>.verifying.pem, which prove who sealed.",
    )
    .argument("<name>", "how the files' names begin")
    .addOption(
      new Option("--bits <size>", "size of the RSA modulus")
        .choices(["2048", "3072", "4096"])
        .default("3072"),
    )
    .addOption(new Option("--signing", "a signing key instead").conflicts("bits"))
    .addOption(
      new Option("--algorithm <name>", "algorithm of a signing key")
        .choices(["Ed25519", "ES256"])
        .default("Ed25519")
        .implies({ signing: true }),
    )
    .addOption(new Option("--format <format>", "form of the files").choices(["pem", "jwk"]).default("pem"))
    .option("--protect", "ask for a passphrase for the private key, unless one is given")
  addPassphraseOption(command).action(run)
  finishCommand(command, [
    "sealwire keygen bob",
    "sealwire keygen --protect bob",
    "sealwire keygen --signing alice",
    "sealwire keygen --algorithm ES256 --format jwk alice",
  ])
}
