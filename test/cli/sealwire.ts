/** The real program, built once into a folder of its own, and run as a child process. */

import { spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

import { build } from "esbuild"
import { expect, vi } from "vitest"

// a test starts up to ten processes, on a machine that may be busy
vi.setConfig({ testTimeout: 60_000 })

const root = fileURLToPath(new URL("../../", import.meta.url))

export interface Finished {
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
}

export interface Program {
  /** Where it runs: relative file names are in here. */
  readonly folder: string
  run(args: readonly string[], options?: RunOptions): Promise<Finished>
  remove(): void
}

/** Lays the package out as npm would, as far as the command needs it. */
async function install(folder: string): Promise<string> {
  const outfile = join(folder, "package/dist/cli/main.js")
  await build({
    entryPoints: [join(root, "src/cli/main.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    alias: {
      "#backend": join(root, "test/support/watched-node.ts"),
      "#base64url": join(root, "src/base/base64url-node.ts"),
    },
  })
  cpSync(join(root, "package.json"), join(folder, "package/package.json"))
  cpSync(join(root, "vectors"), join(folder, "package/vectors"), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(folder, "package/node_modules"), "dir")
  return outfile
}

/** A program with a working folder and a state folder of its own. */
export async function installProgram(): Promise<Program> {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "sealwire-")))
  const main = await install(base)
  const folder = join(base, "work")
  mkdirSync(folder)
  const { SEALWIRE_PASSPHRASE: _, ...inherited } = process.env
  return {
    folder,
    run: (args, { input = "", env = {} } = {}) =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [main, ...args], {
          cwd: folder,
          env: { ...inherited, XDG_STATE_HOME: join(base, "state"), NO_COLOR: "1", ...env },
        })
        const stdout: Buffer[] = []
        const stderr: Buffer[] = []
        child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk))
        child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk))
        child.on("error", reject)
        child.on("close", (code) => {
          resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() })
        })
        // a program that refuses its arguments does not read
        child.stdin.on("error", () => undefined)
        child.stdin.end(input)
      }),
    remove: () => {
      rmSync(base, { recursive: true })
    },
  }
}

/** The one JSON document on standard output. */
export function jsonOf({ stdout }: Finished): Record<string, unknown> {
  return JSON.parse(stdout.toString()) as Record<string, unknown>
}

/** Expects a refusal: an exit code, one line on standard error, nothing on standard output. */
export function expectRefusal({ code, stdout, stderr }: Finished, expected: string, exitCode = 1): void {
  expect(stderr).toMatch(new RegExp(`^sealwire: ${expected}: [^\\n]+\\n$`))
  expect(stdout).toHaveLength(0)
  expect(code).toBe(exitCode)
}

/** The same for `--json`. */
export function expectJsonRefusal({ code, stdout, stderr }: Finished, expected: string, exitCode = 1): void {
  expect(JSON.parse(stderr)).toEqual({ code: expected, message: expect.any(String) as unknown })
  expect(stdout).toHaveLength(0)
  expect(code).toBe(exitCode)
}
