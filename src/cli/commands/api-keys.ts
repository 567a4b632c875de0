/**
 * `sealwire api-keys`: makes, lists, replaces and revokes API keys. A key is printed once, when it is made.
 *
 * @module
 */

import { type Command, InvalidArgumentError } from "commander"

import { type ApiKeys, type ApiKeySummary, createApiKeys, type CreatedApiKey } from "../../api-keys.ts"
import { CommandError } from "../failure.ts"
import { finishCommand, type JsonOption } from "../help.ts"
import { readInput } from "../input.ts"
import { type StoreUse, withRecords } from "../key-records.ts"
import { writeJson, writeStdout } from "../output.ts"
import { escapeControls } from "../terminal.ts"

interface StoreOptions extends JsonOption {
  readonly store: string
  readonly prefix: string
  readonly pepperFile?: string
}

interface CreateOptions extends StoreOptions {
  readonly principal: string
  readonly scope?: readonly string[]
  readonly expiresIn?: number
}

interface ListOptions extends StoreOptions {
  readonly principal?: string
}

interface RotateOptions extends StoreOptions {
  readonly overlap?: number
  readonly expiresIn?: number
}

const PEPPER_BYTES = 32

async function withKeys<Result>(
  { store: path, prefix, pepperFile }: StoreOptions,
  use: Omit<StoreUse, "path">,
  run: (keys: ApiKeys) => Promise<Result>,
): Promise<Result> {
  const pepper = pepperFile === undefined ? undefined : await readInput(pepperFile, PEPPER_BYTES)
  try {
    return await withRecords({ path, ...use }, (store) =>
      run(createApiKeys({ store, prefix, ...(pepper && { pepper }) })),
    )
  } catch (error) {
    // the library names its options: they have the names of the command's
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new CommandError("ERR_USAGE", error.message)
    }
    throw error
  }
}

const unknownKey = (id: string): CommandError =>
  new CommandError("ERR_NOT_FOUND", `no API key ${id} is there, or it has ended`)

const timeOf = (ms: number | undefined): string | null =>
  ms === undefined ? null : new Date(ms).toISOString()

async function show({ id, key, principal, scopes, endsAtMs }: CreatedApiKey, json?: true): Promise<void> {
  if (json) await writeJson({ key, id, principal, scopes, endsAt: timeOf(endsAtMs) })
  else await writeStdout(`${key}\nid ${id}  shown this once: only its hash is kept\n`)
}

async function create({ principal, scope = [], expiresIn, ...options }: CreateOptions): Promise<void> {
  const life = expiresIn === undefined ? {} : { expiresInSeconds: expiresIn }
  const draft = { principal, scopes: scope, ...life }
  await show(await withKeys(options, { creates: true }, (keys) => keys.create(draft)), options.json)
}

async function rotate(id: string, { overlap, expiresIn, ...options }: RotateOptions): Promise<void> {
  const how = {
    ...(overlap === undefined ? {} : { overlapSeconds: overlap }),
    ...(expiresIn === undefined ? {} : { expiresInSeconds: expiresIn }),
  }
  const created = await withKeys(options, {}, async (keys) => {
    const isThere = (await keys.list()).some((key) => key.id === id && stateOf(key) === "active")
    if (!isThere) throw unknownKey(id)
    return keys.rotate(id, how)
  })
  await show(created, options.json)
}

async function revoke(id: string, options: StoreOptions): Promise<void> {
  if (!(await withKeys(options, {}, (keys) => keys.revoke(id)))) throw unknownKey(id)
  await (options.json ? writeJson({ id, revoked: true }) : writeStdout(`revoked ${id}\n`))
}

function stateOf({ endsAtMs }: ApiKeySummary): Entry["state"] {
  if (endsAtMs === undefined || endsAtMs > Date.now()) return "active"
  return endsAtMs === 0 ? "revoked" : "ended"
}

/** A key as `--json` shows it. */
interface Entry {
  readonly id: string
  readonly state: "active" | "revoked" | "ended"
  readonly principal: string
  readonly scopes: readonly string[]
  readonly createdAt: string | null
  readonly endsAt: string | null
  readonly lastUsedAt: string | null
}

function entryOf(key: ApiKeySummary): Entry {
  const { id, principal, scopes, createdAtMs, endsAtMs, lastUsedAtMs } = key
  const endsAt = endsAtMs === 0 ? null : timeOf(endsAtMs)
  const times = { createdAt: timeOf(createdAtMs), endsAt, lastUsedAt: timeOf(lastUsedAtMs) }
  return { id, state: stateOf(key), principal, scopes, ...times }
}

function lineOf(key: ApiKeySummary): string {
  const { id, state, principal, scopes, endsAt, lastUsedAt } = entryOf(key)
  const rest = [
    state === "active" ? `ends ${endsAt ?? "never"}` : `ended ${endsAt ?? "at once"}`,
    `last used ${lastUsedAt ?? "never"}`,
  ]
  const allowed = scopes.join(" ") || "no scopes"
  // a store may hold what others wrote
  return escapeControls([id, state, principal, allowed, ...rest].join("  "))
}

async function list({ principal, ...options }: ListOptions): Promise<void> {
  const listed = await withKeys(options, { readsOnly: true }, (keys) => keys.list(principal))
  if (options.json) await writeJson(listed.map(entryOf))
  else await writeStdout(listed.map((key) => `${lineOf(key)}\n`).join(""))
}

const collect = (scope: string, before: readonly string[] = []): readonly string[] => [...before, scope]

function parseSeconds(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new InvalidArgumentError("It must be whole seconds.")
}

function addStoreOptions(command: Command, examples: readonly string[]): void {
  command
    .requiredOption("--store <file>", "where the hashes are kept: a .json file, or a SQLite file (Node 22)")
    .option("--prefix <text>", "what keys begin with, as the server is configured", "sw")
    .option("--pepper-file <file>", "32 secret bytes, as the server is configured")
  finishCommand(command, examples)
}

/** Adds `api-keys` to the program. */
export function addApiKeys(program: Command): void {
  const group = program
    .command("api-keys")
    .summary("make, list, replace and revoke API keys")
    .description(
      "Keeps the API keys of a server. Only hashes are kept: a key is printed once, when it is made.",
    )
  const creating = group
    .command("create")
    .description("Makes a key and prints it, this once.")
    .requiredOption("--principal <name>", "whom the key stands for")
    .option("--scope <name>", "what it allows; may be repeated", collect)
    .option("--expires-in <seconds>", "its life; without an end by default", parseSeconds)
    .action(create)
  addStoreOptions(creating, [
    "sealwire api-keys create --store keys.json --principal acme --scope transfers:write --expires-in 7776000",
  ])
  const listing = group
    .command("list")
    .description("Lists keys, also those that have ended.")
    .option("--principal <name>", "the keys of this one only")
    .action(list)
  addStoreOptions(listing, ["sealwire api-keys list --store keys.json --json"])
  const rotating = group
    .command("rotate")
    .description("Makes a key for the same principal and scopes, and has the old one end after an overlap.")
    .argument("<id>", "the middle part of the key")
    .option("--overlap <seconds>", "how long the old key goes on; a day by default", parseSeconds)
    .option("--expires-in <seconds>", "the new key's life; the old one's by default", parseSeconds)
    .action(rotate)
  addStoreOptions(rotating, ["sealwire api-keys rotate --store keys.json k3v7q2m4x6a5b2c7"])
  const revoking = group
    .command("revoke")
    .description("Ends a key at once and for ever.")
    .argument("<id>", "the middle part of the key")
    .action(revoke)
  addStoreOptions(revoking, ["sealwire api-keys revoke --store keys.json k3v7q2m4x6a5b2c7"])
}
