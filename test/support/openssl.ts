import { execFileSync, spawnSync } from "node:child_process"

/** Whether the `openssl` command is there. Its absence fails the tests that were asked to run everything. */
export const hasOpenssl: boolean = spawnSync("openssl", ["version"]).status === 0

if (!hasOpenssl) {
  if (process.env["SEALWIRE_TEST_ALL"] === "1")
    throw new Error("SEALWIRE_TEST_ALL=1 needs the openssl command")
  console.warn("openssl is not installed: the tests against it are skipped")
}

/** Runs `openssl`; the passphrase, if any, is `env:PASSPHRASE`. */
export function openssl(args: readonly string[], input: string, passphrase = ""): string {
  const env = { ...process.env, PASSPHRASE: passphrase }
  return execFileSync("openssl", args, { input, env, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] })
}
