import { execFile, execFileSync, spawnSync } from "node:child_process"

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

/** The suite that `openssl s_client` agrees upon with a server, and its version; undefined where they do not agree. */
export function agreedTls(host: string, ...args: string[]): Promise<string | undefined> {
  const connect = ["s_client", "-connect", host, ...args]
  return new Promise((resolve) => {
    const child = execFile("openssl", connect, { timeout: 20_000 }, (_, stdout) => {
      // the version that brought the suite: SSLv3 for some that TLS 1.2 still has
      const [, protocol, cipher] = /New, ((?:TLS|SSL)v[\d.]+), Cipher is ([\w-]+)/.exec(stdout) ?? []
      resolve(protocol === undefined ? undefined : `${protocol} ${cipher ?? ""}`)
    })
    child.stdin?.end()
  })
}
